"""What was asked of the page: each thing runs beside it, and says how far it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from ...common.progress import Progress
from ...errors import FedscanError

#: Old ones are forgotten: their results have been seen.
_REMEMBERED = 50
_log = logging.getLogger(__name__)


@dataclass
class PageTask:
    """Something that was asked for.

    Attributes:
        number: Its number.
        state: How far it is.
        step: What is being done.
        position: How much of the step.
        total: How much the step is in all.
        result: What came of it, as JSON values.
        message: Why it failed, in one sentence.
        hint: What to do about it.
    """

    number: int
    state: Literal["running", "finished", "failed"] = "running"
    step: str = ""
    position: int = 0
    total: int = 0
    result: Any = None
    message: str = ""
    hint: str = ""


@dataclass
class Tasks:
    """All tasks of one page; a few run at once, so that a pause does not wait for an index."""

    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=4))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tasks: dict[int, PageTask] = field(default_factory=dict)
    _last: int = 0

    def start(self, work: Callable[[Progress], object]) -> PageTask:
        """Begin something.

        Args:
            work: Does it; is given where to tell of its progress.
        """
        with self._lock:
            self._last += 1
            task = self._tasks[self._last] = PageTask(self._last)
            for old in [n for n, one in self._tasks.items() if one.state != "running"]:
                if len(self._tasks) > _REMEMBERED:
                    del self._tasks[old]
        self._pool.submit(self._run, task, work)
        return task

    def get(self, number: int) -> PageTask | None:
        """Return a task; ``None`` if there is none, or it is long forgotten."""
        return self._tasks.get(number)

    def stop(self) -> None:
        """Begin nothing more; what runs is finished."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, task: PageTask, work: Callable[[Progress], object]) -> None:
        def report(step: str, position: int, total: int) -> None:
            task.step, task.position, task.total = step, position, total

        try:
            task.result = to_jsonable_python(work(report), inf_nan_mode="null")
            task.state = "finished"
        except FedscanError as failure:
            task.message, task.hint, task.state = failure.message, failure.hint, "failed"
        except Exception:
            _log.exception("What was asked of the page failed.")
            task.message = "That failed for a reason that fedscan did not foresee."
            task.hint = "The terminal in which `fedscan site page` runs shows it."
            task.state = "failed"
