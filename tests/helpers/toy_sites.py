"""Sites without data that speak the protocol, well or badly; importable by worker processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from fedscan.federation.protocol import (
    COMPOSITION,
    DEVIATION,
    PATIENTS,
    READINESS,
    READY,
    STATISTICS,
    SUMS,
    RoundReply,
    RoundRequest,
)
from fedscan.model.statistics.composition import cells
from fedscan.model.statistics.group_means import all_groups, vector_size
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

Behaviour = Callable[[RoundRequest, RoundReply], RoundReply]

MODEL = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "b.bias": np.ones(4, np.float32),
}


def honest(request: RoundRequest, site: str) -> RoundReply:
    """Answer as a site would whose training adds a constant of its own."""
    step = _own_number(site)
    tensors = {name: value + step for name, value in request.tensors.items()}
    return RoundReply(site=site, request=request.digest(), tensors=tensors)


def honest_sums(name: str, size: int) -> Callable[[RoundRequest, str], RoundReply]:
    """Answer with so many noised sums, all of them a constant of the site's own."""

    def answer(request: RoundRequest, site: str) -> RoundReply:
        numbers = {name: np.full(size, _own_number(site)), DEVIATION: np.ones(1)}
        tensors = {key: value.astype(np.float32) for key, value in numbers.items()}
        return RoundReply(site=site, request=request.digest(), tensors=tensors)

    return answer


def ready(request: RoundRequest, site: str) -> RoundReply:
    """Say that the study could begin."""
    return RoundReply(site=site, request=request.digest(), tensors={READY: np.ones(1, np.float32)})


def _own_number(site: str) -> np.float32:
    return np.float32(int(site.rsplit("-", 1)[1]) / 10)


def toy_app(behaviours: dict[str, Behaviour]) -> ClientApp:
    """Make an app whose sites are honest unless a behaviour changes their answer."""
    app = ClientApp()

    def answering(
        honestly: Callable[[RoundRequest, str], RoundReply],
    ) -> Callable[[Message, Context], Message]:
        def answer(message: Message, context: Context) -> Message:
            site = str(context.node_config["site"])
            request = RoundRequest.from_records(message.content)
            reply = behaviours.get(site, _as_is)(request, honestly(request, site))
            return Message(reply.to_records(), reply_to=message)

        return answer

    app.train()(answering(honest))
    app.query(READINESS)(answering(ready))
    app.query(STATISTICS)(answering(honest_sums(SUMS, vector_size(all_groups()))))
    app.query(COMPOSITION)(answering(honest_sums(PATIENTS, len(cells()))))
    return app


def _as_is(request: RoundRequest, reply: RoundReply) -> RoundReply:
    return reply


def honest_app() -> ClientApp:
    return toy_app({})


def dying_app() -> ClientApp:
    """Site 1's process dies in round 1."""

    def die(request: RoundRequest, reply: RoundReply) -> RoundReply:
        if request.round == 1:
            os._exit(1)
        return reply

    return toy_app({"site-1": die})


def dying_once_app(mark: str) -> ClientApp:
    """Site 1's process dies when it is first asked, and leaves a mark."""

    def die(request: RoundRequest, reply: RoundReply) -> RoundReply:
        if not Path(mark).exists():
            Path(mark).touch()
            os._exit(1)
        return reply

    return toy_app({"site-1": die})


def slow_app() -> ClientApp:
    """Site 1 answers round 1 when round 2 has long begun."""

    def dawdle(request: RoundRequest, reply: RoundReply) -> RoundReply:
        if request.round == 1:
            time.sleep(1.5)
        return reply

    return toy_app({"site-1": dawdle})


def saying(code: str, *, from_round: int = 1) -> Behaviour:
    def behave(request: RoundRequest, reply: RoundReply) -> RoundReply:
        if request.round < from_round:
            return reply
        return RoundReply(site=reply.site, request=reply.request, code=code)

    return behave


def sending(**tensors: np.ndarray) -> Behaviour:
    """Replace or (with an empty array) remove tensors; underscores stand for dots."""
    changes = {name.replace("_", ".", 1): value for name, value in tensors.items()}

    def behave(request: RoundRequest, reply: RoundReply) -> RoundReply:
        mixed = {**reply.tensors, **changes}
        return replace(reply, tensors={n: v for n, v in mixed.items() if v.ndim})

    return behave


class Counting:
    """Counts the requests a site gets."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour, self.rounds = behaviour, list[int]()

    def __call__(self, request: RoundRequest, reply: RoundReply) -> RoundReply:
        self.rounds.append(request.round)
        return self.behaviour(request, reply)


def damage(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
