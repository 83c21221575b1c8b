"""Sending one message to many sites and taking their answers as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from ..errors import RoundFailedError

#: Status codes that no site can send: its answer is late, or the network reports it gone.
TIMEOUT = "timeout"
UNAVAILABLE = "unavailable"

# Asking again soon keeps a simulation fast; asking rarely spares a real network.
_SHORTEST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrival:
    """A site's answer, or the news that there will be none.

    Attributes:
        node: Flower's number of the site.
        content: What it answered; ``None`` if it did not.
        code: Empty with an answer, else :data:`TIMEOUT` or :data:`UNAVAILABLE`.
        seconds: From sending to receiving.
    """

    node: int
    content: RecordDict | None
    code: str = ""
    seconds: float


def wait_for_sites(grid: Grid, *, target: int, minimum: int, limit_s: float) -> list[int]:
    """Wait until enough sites are connected.

    Args:
        grid: Flower's grid.
        target: How many to wait for; after the limit fewer are accepted,
        minimum: but never fewer than this.
        limit_s: Longest wait in seconds.

    Returns:
        The connected sites' node numbers, ascending.

    Raises:
        RoundFailedError: If fewer than ``minimum`` are connected after the limit.
    """
    deadline = time.monotonic() + limit_s
    pause = _SHORTEST_PAUSE_S
    while len(nodes := sorted(grid.get_node_ids())) < max(target, minimum):
        if time.monotonic() >= deadline:
            break
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
    if len(nodes) < minimum:
        raise RoundFailedError(
            f"{len(nodes)} of the {minimum} sites a round needs are connected "
            f"after {limit_s:g} seconds.",
            hint="Start more sites, then go on: `fedscan simulate --resume` or "
            "`fedscan coordinator resume`; with --set federation.min_results fewer are enough.",
        )
    return nodes


def exchange(
    grid: Grid, contents: Mapping[int, RecordDict], message_type: str, limit_s: float
) -> Iterator[Arrival]:
    """Send each node its content and yield one arrival for each, as they come.

    Only the first answer to each of these very messages is looked at: what a slow site answers
    to an older round, or a site answers twice, is never seen.
    """
    messages = [
        Message(content, node, message_type, ttl=limit_s) for node, content in contents.items()
    ]
    start = time.monotonic()
    # push_messages leaves out what it could not send, so replies are told apart by node.
    identifiers = set(grid.push_messages(messages))
    waiting = {m.metadata.message_id: m.metadata.dst_node_id for m in messages}
    waiting = {key: node for key, node in waiting.items() if key in identifiers}
    for node in sorted(set(contents) - set(waiting.values())):
        yield Arrival(node=node, content=None, code=UNAVAILABLE, seconds=0.0)
    pause = _SHORTEST_PAUSE_S
    while waiting and time.monotonic() - start < limit_s:
        before = len(waiting)
        for reply in grid.pull_messages(list(waiting)):
            if reply.metadata.reply_to_message_id not in waiting:
                continue
            node = waiting.pop(reply.metadata.reply_to_message_id)
            seconds = time.monotonic() - start
            if reply.has_content():
                yield Arrival(node=node, content=reply.content, seconds=seconds)
            else:
                yield Arrival(node=node, content=None, code=UNAVAILABLE, seconds=seconds)
        if len(waiting) < before:
            pause = _SHORTEST_PAUSE_S
        elif waiting:
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
    for node in sorted(waiting.values()):
        yield Arrival(node=node, content=None, code=TIMEOUT, seconds=time.monotonic() - start)
