"""The worker that stays between messages: what it takes, when it ends, who else reaches it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from fedscan.client.daemon import clientapp, superexec, warm, worker
from fedscan.client.daemon.warm import WarmWorker
from fedscan.client.daemon.worker import DONE, TAKEN, UNFIT
from fedscan.client.policy import SitePolicy, write_policy
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from obedient_worker import obey
from site_node import lives

#: A busy machine needs it.
LIMIT_S = 120.0


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    init_site(tmp_path / "north", SiteSettings(name="north"))
    return SiteHome.open(tmp_path / "north")


class Served:
    """A worker in a thread: its answers are those of a list, and results once that is empty."""

    def __init__(self, home: SiteHome, *answers: bool) -> None:
        self.tasks, other = Pipe()
        self.questions: list[list[str]] = []
        left = list(answers)

        def answer(arguments: list[str]) -> bool:
            self.questions.append(arguments)
            return left.pop(0) if left else True

        def run() -> None:
            worker.serve(other, home, answer)
            other.close()

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def say(self, *arguments: str) -> list[str]:
        """Return what the worker says of a task; "end" if it is gone after it."""
        words = []
        try:
            self.tasks.send(list(arguments))
            while not words or words[-1] == TAKEN:
                assert self.tasks.poll(LIMIT_S)
                words.append(self.tasks.recv())
        except (EOFError, OSError):
            words.append("end")
        return words

    def ended(self) -> bool:
        self.thread.join(LIMIT_S)
        return not self.thread.is_alive()


def test_it_answers_one_message_after_the_other_and_ends_with_superexec(home: SiteHome) -> None:
    served = Served(home)
    assert served.say("--token", "a") == [TAKEN, DONE]
    assert served.say("--token", "b") == [TAKEN, DONE]
    assert served.questions == [["--token", "a"], ["--token", "b"]]
    served.tasks.close()
    assert served.ended()


def test_it_ends_after_an_answer_that_is_no_result(home: SiteHome) -> None:
    served = Served(home, True, False)
    assert served.say("a") == [TAKEN, DONE]
    assert served.say("b") == [TAKEN, "end"]
    assert served.ended()


@pytest.mark.parametrize(
    "changes", [{"memory_gb": 3.0}, {"cpu_threads": 1}, {"allow_gpu": False}], ids=str
)
def test_it_takes_nothing_more_where_the_policy_bounds_it_otherwise(
    home: SiteHome, changes: dict[str, float]
) -> None:
    served = Served(home)
    assert served.say("a") == [TAKEN, DONE]
    write_policy(home.policy, replace(SitePolicy(), **changes))
    assert served.say("b") == [UNFIT]
    assert served.ended()
    assert served.questions == [["a"]]


def test_another_word_of_the_policy_is_the_apps_to_read(home: SiteHome) -> None:
    served = Served(home)
    assert served.say("a") == [TAKEN, DONE]
    write_policy(home.policy, replace(SitePolicy(), epsilon_ceiling=1.0))
    assert served.say("b") == [TAKEN, DONE]
    home.policy.write_text("nonsense")
    assert served.say("c") == [UNFIT]
    assert served.ended()


def test_it_takes_nothing_more_after_another_release_was_installed(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(home)
    assert served.say("a") == [TAKEN, DONE]
    monkeypatch.setattr(worker, "installed_release", lambda: "99.0")
    assert served.say("b") == [UNFIT]
    assert served.ended()


def test_an_own_process_is_started_anew_then(monkeypatch: pytest.MonkeyPatch) -> None:
    class StartedError(Exception):
        """In place of what does not return."""

    started: list[list[str]] = []

    def start(program: str, arguments: list[str]) -> None:
        started.append(arguments)
        raise StartedError

    monkeypatch.setattr(worker, "installed_release", lambda: "99.0")
    monkeypatch.setattr(os, "execv", start)
    with pytest.raises(StartedError):
        superexec._run(["--token", "t"])
    assert started[0][-3:] == [clientapp.__name__, "--token", "t"]


def test_it_ends_when_nothing_comes(home: SiteHome) -> None:
    home.change_settings(warm_minutes=0.2 / 60)
    served = Served(home)
    assert served.say("a") == [TAKEN, DONE]
    assert served.ended()


def test_without_warm_minutes_it_ends_with_its_message(home: SiteHome) -> None:
    served = Served(home)
    home.change_settings(warm_minutes=0)
    assert served.say("a") == [TAKEN, DONE]
    assert served.ended()


def test_it_ends_after_so_many_messages(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_MESSAGES", 2)
    served = Served(home)
    assert [served.say("a"), served.say("b")] == [[TAKEN, DONE]] * 2
    assert served.ended()


def test_nobody_else_can_open_the_channel() -> None:
    one, other = Pipe()
    with one, other:
        # A pair of sockets without a name, in no folder and under no port.
        for end in (one, other):
            assert os.readlink(f"/proc/self/fd/{end.fileno()}").startswith("socket:")
            assert os.get_inheritable(end.fileno()) is False


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "note"


@pytest.fixture
def handle(note: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmWorker]:
    monkeypatch.setattr(warm, "_FREE_S", 0.5)
    context = multiprocessing.get_context("spawn")

    def start(tasks: Connection) -> BaseProcess:
        process = context.Process(target=obey, args=(tasks, note, TAKEN, UNFIT, DONE), daemon=True)
        process.start()
        return process

    made = WarmWorker(start)
    yield made
    made._give_up()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_tasks_go_to_the_same_process_until_it_dies(handle: WarmWorker, note: Path) -> None:
    assert handle.take(["a"])
    first = handle.pid
    assert handle.take(["b"])
    assert handle.pid == first
    os.kill(first, signal.SIGKILL)
    until(lambda: not lives(first))
    assert handle.take(["die"])
    second = handle.pid
    assert second != first
    until(lambda: not lives(second))
    assert handle.take(["c"])
    assert handle.pid not in (first, second)
    until(lambda: note.read_text().split() == ["a", "b", "die", "c"])


def test_a_task_that_it_cannot_take_is_nobody_s(
    handle: WarmWorker, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not handle.take(["refuse"])
    assert handle.take(["work"])
    busy = handle.pid
    assert not handle.take(["another"])
    assert handle.pid == busy
    os.kill(busy, signal.SIGKILL)
    assert handle.take(["a"])
    monkeypatch.setattr(warm, "_ANSWER_S", 1.0)
    halted = handle.pid
    # It would take the task if it were woken up later.
    assert not handle.take(["stop"])
    until(lambda: not lives(halted))
    assert note.read_text().split() == ["work", "a"]


_PARENT = """
import multiprocessing, sys, time
from multiprocessing import Pipe
from pathlib import Path
from fedscan.client.daemon import worker
from fedscan.client.steward.home import SiteHome

def work(tasks, home, seconds):
    worker.end_with(tasks)
    worker.serve(tasks, SiteHome.open(Path(home)), lambda arguments: time.sleep(seconds) is None)

if __name__ == "__main__":
    own, other = Pipe()
    seconds = {"idle": 0, "busy": 3600}[sys.argv[1]]
    given = (other, sys.argv[2], seconds)
    process = multiprocessing.get_context("spawn").Process(target=work, args=given, daemon=True)
    process.start()
    other.close()
    own.send([])
    assert own.recv() == worker.TAKEN
    assert seconds or own.recv() == worker.DONE
    print(process.pid, flush=True)
    time.sleep(3600)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_it_does_not_outlive_a_superexec_that_is_killed(
    home: SiteHome, tmp_path: Path, state: str
) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    command = [sys.executable, str(script), state, str(home.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.kill()
    until(lambda: not lives(pid))
