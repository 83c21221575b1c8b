"""Flower's SuperExec at a site, so changed that a message is answered at once.

Flower starts a program for every message, and to import torch and diffusers takes that longer than
a small round's training. Here a fork server has imported them once, and messages are answered by a
fork of it that stays (:mod:`.worker`). Where that one is busy or of no use, a message gets a fork
of its own, which ends with it. Importing alone asks for no graphics processor and starts no thread,
either of which a fork could not use. Should a library ask for a graphics processor all the same, or
another release of fedscan have been installed, the program is started anew instead.

What is changed is private to Flower 1.41; a release that lacks it does not start.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from flwr.supercore.constant import TaskType
from flwr.supercore.superexec import run_superexec
from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResult, SubprocessExecutor

from ..steward.home import SiteHome
from . import clientapp, worker
from .marks import HOME_VARIABLE
from .warm import WarmWorker

#: What a round needs, in the order of importing.
_NEEDED = ["fedscan.client.daemon.worker", "flwr.supernode.cli", "fedscan.client.app"]


class ForkingExecutor(SubprocessExecutor):
    """Runs ClientApps in forks of a process that has imported what they need; nothing else."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_NEEDED)
        self._worker = WarmWorker(self._start_worker)

    def prepare(self) -> None:
        """Let the fork server begin to import; returns at once."""
        forkserver.ensure_running()

    def launch(self, spec: ExecutionSpec) -> LaunchResult:
        """Have a ClientApp's task done by the warm worker, or by a process of its own."""
        if spec.task_type is not TaskType.CLIENT_APP:
            return LaunchResult.failed(f"This site runs no {spec.task_type}.")
        # The worker ends with SuperExec by itself; a message's own process is told with whom.
        if not self._worker.take(arguments(replace(spec, parent_pid=None))):
            self._start(_run, arguments(spec))
        return LaunchResult.accepted()

    def close(self) -> None:
        """Let the worker end."""
        self._worker.close()

    def _start_worker(self, tasks: Connection) -> BaseProcess:
        return self._start(_work, tasks)

    def _start(self, run: Callable[..., None], *arguments: object) -> BaseProcess:
        # A daemon in the sense of multiprocessing: it is told to end when SuperExec ends.
        process = self._context.Process(target=run, args=arguments, daemon=True)
        process.start()
        return process


def arguments(spec: ExecutionSpec) -> list[str]:
    """Return the arguments of ``flwr-clientapp`` for a task."""
    options = ["--runtime-api-address", spec.runtime_api_address, "--token", spec.token]
    if spec.insecure:
        options.append("--insecure")
    elif spec.root_certificates_path is not None:
        options += ["--root-certificates", spec.root_certificates_path]
    if spec.parent_pid is not None:
        options += ["--parent-pid", str(spec.parent_pid)]
    return options


def main() -> None:
    """Run SuperExec; takes the arguments of ``flower-superexec``."""
    from flwr.supercore.cli import flower_superexec

    if not hasattr(run_superexec, "get_executor"):
        raise AttributeError("This release of Flower chooses its executor in another way.")
    executor = ForkingExecutor()
    run_superexec.get_executor = lambda *_, **__: executor
    executor.prepare()
    flower_superexec()


def _work(tasks: Connection) -> None:
    # Not to take a task is enough: its own process is then started anew.
    if not _forked_from_cuda():
        worker.run(tasks, SiteHome.open(Path(os.environ[HOME_VARIABLE])))


def _run(options: list[str]) -> None:
    if _forked_from_cuda() or worker.installed_release() != worker.IMPORTED_RELEASE:
        os.execv(sys.executable, [sys.executable, "-P", "-m", clientapp.__name__, *options])
    sys.argv = ["flwr-clientapp", *options]
    clientapp.main()


def _forked_from_cuda() -> bool:
    """Return whether the process that this is a fork of has asked CUDA for anything."""
    import torch

    return bool(torch.cuda._is_in_bad_fork())


if __name__ == "__main__":
    main()
