"""Supervised processes: started again when they die, gone when they are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from fedscan.errors import FederationError
from fedscan.federation.supervision.child import ChildSpec
from fedscan.federation.supervision.service import is_running, running_in, stop_service
from fedscan.federation.supervision.supervisor import Supervisor

#: Generous, for slow machines; nothing waits this long when all is well.
LIMIT_S = 60

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]


def until(condition, what="it", tick=lambda: None):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        tick()
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_child_is_started_again_and_reported(tmp_path):
    ends = []
    spec = ChildSpec(name="sleeper", command=SLEEP, log=tmp_path / "log")
    supervisor = Supervisor([spec], lambda *end: ends.append(end))
    try:
        first = supervisor.child("sleeper").pid
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.status()["sleeper"].restarts == 1, tick=supervisor.tick)
        status = supervisor.status()["sleeper"]
        assert status.running
        assert status.pid != first
        assert status.last_exit == -signal.SIGKILL
        assert ends == [("sleeper", -signal.SIGKILL)]
    finally:
        supervisor.stop()
    assert not alive(supervisor.child("sleeper").pid)


def pauses_before(restarts, log, *, runs_s=0.0):
    """Return the seconds before each restart of a child that ends after ``runs_s`` each time.

    The seconds are those of a clock of its own, so it does not matter how busy the machine is.
    """
    moment, pauses, ends = 0.0, [], []
    spec = ChildSpec(name="broken", command=[sys.executable, "-c", "1/0"], log=log)
    supervisor = Supervisor([spec], lambda *end: ends.append(end), clock=lambda: moment)
    try:
        for number in range(restarts):
            until(lambda: not supervisor.status()["broken"].running)
            moment += runs_s
            supervisor.tick()
            end = moment
            while supervisor.status()["broken"].restarts == number:
                moment += 0.25
                supervisor.tick()
            pauses.append(moment - end)
    finally:
        supervisor.stop()
    assert ends == [("broken", 1)] * restarts
    return pauses


def test_a_child_that_cannot_run_is_tried_again_at_growing_intervals(tmp_path):
    log = tmp_path / "log"
    assert pauses_before(8, log) == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert log.read_bytes().count(b"ZeroDivisionError") >= 8


def test_a_child_that_ran_for_a_while_is_started_again_as_after_its_first_end(tmp_path):
    assert pauses_before(2, tmp_path / "log", runs_s=61) == [0.5, 0.5]


def test_stopping_ends_what_the_child_started_and_what_ignores_the_signal(tmp_path):
    code = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"p = subprocess.Popen({SLEEP!r}); print(p.pid, flush=True); p.wait()"
    )
    log = tmp_path / "log"
    spec = ChildSpec(name="stubborn", command=[sys.executable, "-c", code], log=log, grace_s=0.5)
    supervisor = Supervisor([spec], lambda *_: None)
    until(lambda: b"here" in log.read_bytes())
    grandchild = int(next(line for line in log.read_text().split() if line.isdigit()))
    supervisor.stop()
    until(lambda: not alive(grandchild))


def test_children_do_not_outlive_a_killed_supervisor(tmp_path):
    code = (
        "import time; from pathlib import Path\n"
        "from fedscan.federation.supervision.child import ChildSpec\n"
        "from fedscan.federation.supervision.supervisor import Supervisor\n"
        f"spec = ChildSpec(name='s', command={SLEEP!r}, log=Path({str(tmp_path / 'log')!r}))\n"
        "s = Supervisor([spec], print); print(s.child('s').pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    until(lambda: not alive(child))


def test_a_folder_has_one_service_which_can_be_stopped(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from fedscan.federation.supervision.service import asked_to_stop, running_in\n"
        f"with asked_to_stop() as stop, running_in(Path({str(tmp_path)!r}), 'It'):\n"
        "    print('up', flush=True); stop.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as service:
        try:
            assert service.stdout is not None
            assert service.stdout.readline() == "up\n"
            assert is_running(tmp_path)
            with (
                pytest.raises(FederationError, match="running already"),
                running_in(tmp_path, "It"),
            ):
                pass
            stop_service(tmp_path, "It", LIMIT_S)
            assert service.wait(LIMIT_S) == 0
        finally:
            service.kill()
    assert not is_running(tmp_path)
    with pytest.raises(FederationError, match="not running"):
        stop_service(tmp_path, "It")


def test_a_killed_service_does_not_block_the_next(tmp_path):
    code = (
        "import time; from pathlib import Path\n"
        "from fedscan.federation.supervision.service import running_in\n"
        f"with running_in(Path({str(tmp_path)!r}), 'It'): print(1, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        service.stdout.readline()
        service.kill()
    with running_in(tmp_path, "It"):
        assert is_running(tmp_path)
