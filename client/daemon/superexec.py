"""Flower's SuperExec at a site, so changed that the process of a message starts at once.

Flower starts a program for every message, and to import torch and diffusers takes that longer than
a small round's training. Here a fork server has imported them once, and every message gets a fork
of it: a process of its own, with a memory limit of its own, as before. Importing alone asks for no
graphics processor and starts no thread, either of which a fork could not use; should a library ask
for a graphics processor all the same, the fork notices and starts the program anew instead.

What is changed is private to Flower 1.41; a release that lacks it does not start.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing import forkserver

from flwr.supercore.constant import TaskType
from flwr.supercore.superexec import run_superexec
from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResult, SubprocessExecutor

from . import clientapp

#: What a round needs, in the order of importing.
_NEEDED = ["fedscan.client.daemon.clientapp", "fedscan.client.app"]


class ForkingExecutor(SubprocessExecutor):
    """Runs ClientApps in forks of a process that has imported what they need; nothing else."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_NEEDED)

    def prepare(self) -> None:
        """Let the fork server begin to import; returns at once."""
        forkserver.ensure_running()

    def launch(self, spec: ExecutionSpec) -> LaunchResult:
        """Start the process of a task, if it is a ClientApp's."""
        if spec.task_type is not TaskType.CLIENT_APP:
            return LaunchResult.failed(f"This site runs no {spec.task_type}.")
        # A daemon in the sense of multiprocessing: it is told to end when SuperExec ends.
        process = self._context.Process(target=_run, args=(arguments(spec),), daemon=True)
        process.start()
        return LaunchResult.accepted()


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


def _run(options: list[str]) -> None:
    if _forked_from_cuda():
        os.execv(sys.executable, [sys.executable, "-P", "-m", clientapp.__name__, *options])
    sys.argv = ["flwr-clientapp", *options]
    clientapp.main()


def _forked_from_cuda() -> bool:
    """Return whether the process that this is a fork of has asked CUDA for anything."""
    import torch

    return bool(torch.cuda._is_in_bad_fork())


if __name__ == "__main__":
    main()
