"""A try-out from its first command to its last process."""

from __future__ import annotations

import contextlib
import sys
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

from ...common.local_page import LOOPBACK
from ...errors import FederationError
from ...federation.supervision.child import Child, ChildSpec
from ...server.coordinator.overview import overview
from ...server.coordinator.processes import find_program
from .own_folder import ignore_signals, own_folder
from .plan import STUDY, Tryout, Words

#: Runs a command as if it had been typed.
Command = Callable[[Words], None]
#: Shows a line.
Say = Callable[[str], None]

_LOOK_EVERY_S = 1.0
#: The coordinator and a site end their own processes first.
_GRACE_S = 60.0
_LOG_LINES = 5


def require_programs() -> None:
    """Refuse before anything is made where a program is missing.

    Raises:
        FederationError: If it is.
    """
    find_program("nginx")


def run_tryout(tryout: Tryout, command: Command, say: Say, *, show: bool, keep: bool) -> None:
    """Set a federation up, run it until Ctrl-C, SIGTERM or :func:`~.own_folder.stop_in`.

    Args:
        tryout: What it is made of.
        command: Runs the commands that set it up and ask for approvals.
        say: Shows what happens.
        show: Whether to open the page in a browser.
        keep: Whether the folder stays.

    Raises:
        FedscanError: What a command refuses; or a process of it ended.
    """
    began = time.monotonic()
    with (
        own_folder(tryout.folder, keep=keep),
        _Processes(tryout.folder / "logs") as processes,
    ):
        command(tryout.make_coordinator())
        for name in tryout.scans:
            for words in tryout.make_site(name):
                command(words)
        # What takes long to start does so beside what follows.
        processes.start("coordinator", tryout.start_coordinator())
        command(tryout.submit())
        processes.start("dashboard", tryout.show())
        if tryout.has_phantoms:
            command(tryout.write_phantoms())
        for name in tryout.scans:
            command(tryout.add_data(name))
        # Before the sites run: one that is asked too early is asked again only after a pause.
        for name in tryout.scans:
            command(tryout.approve(name))
        for name in tryout.scans:
            processes.start(name, tryout.start_site(name))
        with contextlib.suppress(KeyboardInterrupt):
            _follow(tryout, processes, say, began, show=show)
        say("Stopping.")
    say(f"Stopped. {tryout.folder} is {'kept' if keep else 'removed'}.")


def _follow(tryout: Tryout, processes: _Processes, say: Say, began: float, *, show: bool) -> None:
    """Say what happens, until somebody ends it."""
    address = f"http://{LOOPBACK}:{tryout.dashboard_port}/"
    say(f"Dashboard: {address}")
    last_lines, last_round, last_phase = set[str](), 0, ""
    while True:
        processes.require_running()
        view = overview(tryout.coordinator)
        study = next(one for one in view.studies if one.study == STUDY)
        online = [site.site for site in view.sites if site.online]
        lines = [study.message] if study.message and study.phase == "running" else []
        if len(online) == len(tryout.scans):
            lines.insert(0, f"Connected: {', '.join(online)}.")
            if show:
                webbrowser.open(address)
                show = False
        for line in lines:
            if line not in last_lines:
                say(line)
        last_lines.update(lines)
        if study.round > last_round:
            seconds = time.monotonic() - began
            say(f"Round {study.round} of {study.rounds} is done, {seconds:.0f} s after the start.")
            last_round = study.round
        if study.phase != last_phase and study.phase in ("finished", "failed", "aborted"):
            _say_the_end(tryout, study.phase, study.message, say)
        last_phase = study.phase
        time.sleep(_LOOK_EVERY_S)


def _say_the_end(tryout: Tryout, phase: str, message: str, say: Say) -> None:
    if phase != "finished":
        say(f"The study is {phase}. {message}".rstrip())
        return
    folder, key = tryout.study.root, tryout.coordinator.record_key.with_suffix(".pub")
    say(f"The study is finished: {folder / 'generator'}")
    say("While it runs, in another terminal:")
    for words in (
        f"coordinator verify {folder / 'record.json'} --key {key}",
        f"coordinator log --home {tryout.coordinator.root}",
        *(f"site audit --home {tryout.site(name)}" for name in list(tryout.scans)[:1]),
        f'generate {folder} --prompt "axial T1-weighted MR slice of the head" --anyway',
    ):
        say(f"  fedscan {words}")
    say("Ctrl-C ends it.")


class _Processes:
    """The processes of a try-out, which end with it; nobody else's are touched.

    Args:
        logs: Folder for what they print.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: dict[str, Child] = {}

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them, the last started first, so that sites leave before the coordinator does."""
        ignore_signals()
        for child in reversed(self._children.values()):
            child.stop()

    def start(self, name: str, words: Words) -> None:
        """Run a command of fedscan beside this process."""
        program = "from fedscan.cli.main import run; run()"
        self._children[name] = Child(
            ChildSpec(
                name=name,
                command=[sys.executable, "-P", "-c", program, *words],
                log=self._logs / f"{name}.log",
                environment={"PYTHONUNBUFFERED": "1"},
                grace_s=_GRACE_S,
            )
        )

    def require_running(self) -> None:
        """Refuse to go on without one of them.

        Raises:
            FederationError: If one has ended; with what it said last.
        """
        for name, child in self._children.items():
            if child.returncode is not None:
                text = child.spec.log.read_text(encoding="utf-8", errors="replace")
                last = " ".join(text.split("\n")[-_LOG_LINES:]).strip()
                raise FederationError(
                    f"The process {name} ended with status {child.returncode}: {last}",
                    hint="`fedscan doctor` looks for what is wrong with this machine.",
                )
