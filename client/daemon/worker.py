"""The site's warm worker: a process that answers message after message.

To open a base, to take its digest and to account for privacy takes longer than a small round's
training. A process that stays does it once. It keeps only what is public: the base, and sums of the
accounting. What decides about an answer is looked at for every message, as by a process of its own:
policy, pauses, approvals, opt-outs, scans, ledger, and whether the base's files are untouched. What
was opened of the scans is forgotten when their message is answered.

It ends

- with SuperExec, and so with the daemon, however that dies;
- after ``warm_minutes`` of ``site.toml`` without a message;
- after an answer that is no result, so that nothing of what went wrong lasts;
- where the policy bounds processes otherwise than when it began, or another release of fedscan is
  installed;
- after :data:`MOST_MESSAGES` messages, whatever libraries may leave behind in it.

Then the next message gets a new one. A process that dies in the middle of a message is to the
coordinator and to the ledger what the process of one message is that dies: asked again, the site
answers with the same bytes and pays nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from typing import Any

from flwr.supercore.constant import FORCE_EXIT_TIMEOUT_SECONDS
from flwr.supercore.exit import ExitCode, flwr_exit
from flwr.supercore.exit.exit_handler import trigger_exit_handlers
from flwr.supercore.exit.signal_handler import SIGNAL_TO_EXIT_CODE
from flwr.supernode.runtime import run_clientapp as process

from ...errors import FedscanError
from ..steward.home import SiteHome
from . import clientapp

#: What the worker says of a task: it answers it, somebody else must, it has answered.
TAKEN, UNFIT, DONE = "taken", "unfit", "done"

MOST_MESSAGES = 500
#: It is begun for a message, which follows at once.
_FIRST_S = 60.0
_IDLE_ENDS_S, _GRACE_S = 0.5, 10.0

#: Answers one message, given the arguments of ``flwr-clientapp``; tells whether with a result.
Answer = Callable[[list[str]], bool]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a process is bound to from its beginning on.

    Attributes:
        memory_gb: Memory that it may take.
        cpu_threads: Threads that it may compute with.
        allow_gpu: Whether it may compute on a graphics processor.
    """

    memory_gb: float
    cpu_threads: int
    allow_gpu: bool

    @classmethod
    def today(cls, home: SiteHome) -> Bounds | None:
        """Return what the site's policy says now; ``None`` if it cannot be read."""
        from ..policy import load_policy

        try:
            policy = load_policy(home.policy)
        except FedscanError:
            return None
        return cls(
            memory_gb=policy.memory_gb,
            cpu_threads=policy.cpu_threads,
            allow_gpu=policy.allow_gpu,
        )


def installed_release() -> str:
    """Return the release of fedscan that is installed now, whatever this process has imported."""
    try:
        return version("fedscan")
    except PackageNotFoundError:
        return ""


#: The release that this process, and whatever is forked from it, has imported.
IMPORTED_RELEASE = installed_release()


def run(tasks: Connection, home: SiteHome) -> None:
    """Answer a site's messages until there is a reason to end; see :func:`serve`."""
    gc.freeze()  # what was imported stays in memory that the fork server shares
    end_with(tasks)
    serve(tasks, home, answering())


def end_with(tasks: Connection) -> None:
    """End this process when nobody is at the other end any more, also in the middle of a task.

    Args:
        tasks: The pipe. Its other end is closed when SuperExec dies, however it does.
    """
    closing = select.poll()
    closing.register(tasks.fileno(), select.POLLHUP)

    def watch() -> None:
        closing.poll()
        time.sleep(_IDLE_ENDS_S)  # one that waits for a task has noticed by itself
        os.kill(os.getpid(), signal.SIGINT)  # Flower's processes then say so to their node
        time.sleep(_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def serve(tasks: Connection, home: SiteHome, answer: Answer) -> None:
    """Answer tasks until there is a reason to end.

    Args:
        tasks: Brings tasks, and is told :data:`TAKEN`, :data:`UNFIT` and :data:`DONE`. No other
            process can open it: it has no name.
        home: The site's home.
        answer: Answers one of them.
    """
    bounds, patience_s = Bounds.today(home), _FIRST_S
    for _ in range(MOST_MESSAGES):
        try:
            if not tasks.poll(patience_s):
                return
            arguments = tasks.recv()
            is_fit = Bounds.today(home) == bounds and installed_release() == IMPORTED_RELEASE
            tasks.send(TAKEN if is_fit else UNFIT)
        except (EOFError, OSError):  # SuperExec is gone
            return
        if not is_fit or not answer(arguments):
            return
        gc.collect()
        _give_memory_back()
        patience_s = _patience_s(home)
        with contextlib.suppress(OSError):
            tasks.send(DONE)


def answering() -> Answer:
    """Change Flower's process so that it stays after a message, and return what runs it."""
    from flwr.supernode.cli import flwr_clientapp

    from ..workspace import opened

    results: list[bool] = []
    clientapp.prepare(results.append)
    process.flwr_exit = _finish  # type: ignore[assignment]
    handlers = {number: signal.getsignal(number) for number in SIGNAL_TO_EXIT_CODE}

    def answer(arguments: list[str]) -> bool:
        results.clear()
        opened.forget_changed_base()
        opened.forget_scans()
        sys.argv = ["flwr-clientapp", *arguments]
        flwr_clientapp()
        opened.forget_scans()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return results == [True]

    return answer


def _patience_s(home: SiteHome) -> float:
    """Return how long to wait for a message: not at all where the settings cannot be read."""
    try:
        return 60.0 * home.settings().warm_minutes
    except FedscanError:
        return 0.0


def _finish(code: int, message: str | None = None, **options: Any) -> None:
    """End a message as Flower ends its process: the process itself ends only after an error."""
    if code != ExitCode.SUCCESS:
        flwr_exit(code, message, **options)
    watch = threading.Timer(FORCE_EXIT_TIMEOUT_SECONDS, os._exit, (1,))
    watch.daemon = True
    watch.start()
    trigger_exit_handlers(run_before_force_exit=True)
    trigger_exit_handlers(run_before_force_exit=False)
    watch.cancel()


def _give_memory_back() -> None:
    """Return to the operating system what the C library keeps of freed memory, where it can."""
    if sys.platform.startswith("linux") and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
