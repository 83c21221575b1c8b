"""Running a site's ClientApp on one message, here or in a worker process of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from flwr.app import Context, Error, Message
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.supercore.task_identity import TaskIdentity

from .pool import begin_worker, worker_context

#: Returns the ClientApp; a module-level function, for a worker process calls it too.
AppLoader = Callable[[], ClientApp]


def run_app(load_app: AppLoader, message: Message, context: Context) -> Message:
    """Run a ClientApp as a SuperNode would.

    One thread computes, whichever process it is: the sums, and so the bytes of a result,
    must not depend on how many sites share the machine.

    Args:
        load_app: Returns the app.
        message: What the server sent; not modified.
        context: The site's context; the app may modify its state.

    Returns:
        The app's reply, or an error message if the app raised.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return load_app()(copy.deepcopy(message), context)
    except Exception as failure:
        error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, type(failure).__name__)
        return Message(error, reply_to=message)
    finally:
        torch.set_num_threads(threads)


class Worker:
    """A process that runs a ClientApp on one message after another.

    It stays alive, so that what an app keeps in its process (a loaded generator, an open data
    set) serves the next round too.

    Args:
        load_app: Returns the app, called in the process.
    """

    def __init__(self, load_app: AppLoader) -> None:
        context = worker_context(__name__, load_app.__module__)
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(load_app, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        #: What it is busy with; ``None`` if idle.
        self.task: Message | None = None

    def wait_until_ready(self) -> None:
        """Wait until the process has loaded the app: that is no part of any site's time."""
        self.finish()

    def start(self, message: Message, context: Context) -> None:
        """Begin to work on a message."""
        self.task = message
        self.connection.send((message, context))

    def finish(self) -> tuple[Message, Context] | None:
        """Take the reply and the site's context; ``None`` if the process died over it."""
        self.task = None
        try:
            reply: tuple[Message, Context] | None = self.connection.recv()
        except (EOFError, OSError):
            return None
        return reply

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self._process.terminate()
        self._process.join()


def _serve(load_app: AppLoader, connection: Connection[Any, Any]) -> None:
    begin_worker()
    load_app()
    connection.send(None)
    while True:
        try:
            message, context = connection.recv()
        except EOFError:
            return
        TaskIdentity.run_id = context.run_id
        TaskIdentity.node_id = context.node_id
        TaskIdentity.task_id = 0
        reply = run_app(load_app, message, context)
        connection.send((reply, context))
