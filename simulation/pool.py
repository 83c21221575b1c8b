"""A function over many inputs, in processes where there are several to use."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from typing import TypeVar

import torch

Input = TypeVar("Input")
Output = TypeVar("Output")


def worker_context(*preload: str) -> BaseContext:
    """Return how fedscan starts processes.

    Not as forks of this process, whose threads may hold locks; but one process that has
    imported the heavy libraries once serves as the template of all.

    Args:
        preload: Modules to import in the template; only the first call has a say.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *preload])
    return context


def map_processes(
    work: Callable[[Input], Output], inputs: Sequence[Input], *, workers: int
) -> Iterator[Output]:
    """Yield ``work`` of each input, in the inputs' order.

    Args:
        work: A module-level function; it computes with one thread.
        inputs: What to work on.
        workers: Processes at most; with 1 the work is done in this one.
    """
    count = min(workers, len(inputs))
    if count <= 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield from map(work, inputs)
        finally:
            torch.set_num_threads(threads)
        return
    with ProcessPoolExecutor(
        count,
        mp_context=worker_context(work.__module__),
        initializer=begin_worker,
    ) as pool:
        yield from pool.map(work, inputs)


def begin_worker() -> None:
    """Prepare a worker process: one thread, and Ctrl-C ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    torch.set_num_threads(1)
