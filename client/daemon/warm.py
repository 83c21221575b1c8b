"""SuperExec's end of the warm worker: hands it one task at a time, and starts another one."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from .worker import DONE, TAKEN

#: How long a worker may take to say whether it takes a task: it reads the policy in between.
_ANSWER_S = 30.0
#: How long one that has given its answer may take to be free for the next task.
_FREE_S = 5.0

#: Starts a worker at the other end of a pipe.
Start = Callable[[Connection], BaseProcess]


class WarmWorker:
    """A worker that is there while it is of use: begun with a task, replaced when it has ended.

    Args:
        start: Starts one.
    """

    def __init__(self, start: Start) -> None:
        self._start = start
        self._tasks: Connection | None = None
        self._process: BaseProcess | None = None
        self._is_free = True

    @property
    def pid(self) -> int | None:
        """Number of the worker's process, if there is one."""
        return self._process.pid if self._process is not None else None

    def take(self, arguments: list[str]) -> bool:
        """Hand a task over.

        Args:
            arguments: Of ``flwr-clientapp``.

        Returns:
            Whether the worker has it. If not, nobody has, and nobody will.
        """
        if self._is_busy():
            return False
        # The one that is there may have ended, or be of no use any more; then a new one.
        return self._hand_over(arguments) or self._hand_over(arguments)

    def close(self) -> None:
        """Let the worker end: at once if it is free, else with this process."""
        if self._tasks is not None:
            self._tasks.close()
        self._tasks = None

    def _is_busy(self) -> bool:
        if self._tasks is None or self._is_free:
            return False
        try:
            if not self._tasks.poll(_FREE_S):
                return True
            self._is_free = self._tasks.recv() == DONE
        except (EOFError, OSError):
            self._give_up()
        return not self._is_free

    def _hand_over(self, arguments: list[str]) -> bool:
        tasks = self._tasks or self._begin()
        try:
            tasks.send(arguments)
            has_it = tasks.poll(_ANSWER_S) and tasks.recv() == TAKEN
        except (EOFError, OSError):
            has_it = False
        if has_it:
            self._is_free = False
        else:
            self._give_up()
        return has_it

    def _begin(self) -> Connection:
        own, other = Pipe()
        try:
            self._process = self._start(other)
        finally:
            # Only the worker has it now, so its end is seen here, however it ends.
            other.close()
        self._tasks, self._is_free = own, True
        return own

    def _give_up(self) -> None:
        """Make sure that a worker that did not take a task never will."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join(_ANSWER_S)
        self.close()
        self._process, self._is_free = None, True
