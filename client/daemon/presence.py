"""How a node says that it has no question in hand.

A node works on one message at a time. Whoever asks it whether it is there is answered in turn,
after everything that was asked before; so the coordinator learns that a question which has no
answer then never got here, or its answer never left
(:mod:`fedscan.server.coordinator.asking_again`). The node answers by itself, with an error without
words: no app is started, and nothing of the site is opened.

The wrapped function is private to Flower 1.41; a release that lacks it does not start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flwr.app import Error, Message
from flwr.common.constant import ErrorCode
from flwr.supernode import start_client_internal as node

from ...federation.protocol import PRESENCE

#: What it answers.
HERE = Error(ErrorCode.UNKNOWN, "")

Call = Callable[..., Any]


def install() -> None:
    """Change Flower's node.

    Raises:
        AttributeError: If this release of Flower does it in another way.
    """
    node._pull_and_store_message = present(node._pull_and_store_message)  # type: ignore[assignment]


def present(pull_and_store: Call) -> Call:
    """Wrap the taking in of a message: the query whether the node is there is answered at once."""

    def pull(*, state: Any, object_store: Any, receive: Call, **rest: Any) -> int | None:
        queries: list[Message] = []

        def others() -> Any:
            arrival = receive()
            if arrival is None or arrival[0].metadata.message_type != f"query.{PRESENCE}":
                return arrival
            queries.append(arrival[0])
            return None

        run_id: int | None = pull_and_store(
            state=state, object_store=object_store, receive=others, **rest
        )
        if not queries:
            return run_id
        node._insert_message(Message(HERE, reply_to=queries[0]), state, object_store)
        return queries[0].metadata.run_id

    return pull
