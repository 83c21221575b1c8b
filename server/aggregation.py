"""The server's optimiser: Flower's strategies, with a state that can be saved and restored.

Flower's FedAvg, FedAvgM and FedAdam do the arithmetic; their own loops are not used, because
they neither check what they average, nor insist on a minimum of results, nor resume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvg, FedAvgM
from numpy.typing import NDArray

from ..config.federation import FederationSettings
from ..errors import RoundFailedError
from ..federation.protocol import Tensors
from .updates import Update

_WEIGHT = "weight"


class ServerOptimizer:
    """Combines the sites' updates of a round into the next model.

    Args:
        settings: Which strategy, with which rates.
    """

    def __init__(self, settings: FederationSettings) -> None:
        self._strategy = _strategy(settings)

    def step(
        self, server_round: int, model: Tensors, updates: Sequence[Update]
    ) -> dict[str, NDArray[Any]]:
        """Return the next model.

        Args:
            server_round: Number of the round, from 1.
            model: The tensors that were sent.
            updates: Checked updates, at least one. They are averaged in the order of their
                sites' names, so that the result does not depend on who answered first.

        Raises:
            RoundFailedError: If the sums overflow: a value of the next model, or of the state
                that :meth:`state` returns, is not finite.
        """
        names, strategy = sorted(model), self._strategy
        if isinstance(strategy, FedAvgM):
            strategy.current_arrays = _record(model)
        elif isinstance(strategy, FedAdam):
            strategy.current_arrays = {name: model[name] for name in names}
        replies = [_message(update) for update in sorted(updates, key=lambda one: one.site)]
        with np.errstate(over="ignore", invalid="ignore"):  # told in a sentence below
            aggregate, _ = strategy.aggregate_train(server_round, replies)
            assert aggregate is not None  # it is None only without replies
            # FedAdam's bias correction is a float64 scalar and would widen the model.
            following = {name: aggregate[name].numpy().astype(model[name].dtype) for name in names}
        require_finite_model(
            {**self.state(names), **following},
            f"The combined model of round {server_round}",
            rate="federation.server_learning_rate",
        )
        return following

    def state(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return what the next step depends on, as tensors by name; empty for plain averaging."""
        strategy, order = self._strategy, sorted(names)
        if isinstance(strategy, FedAvgM) and strategy.momentum_vector is not None:
            return {
                f"momentum/{name}": np.asarray(value)
                for name, value in zip(order, strategy.momentum_vector, strict=True)
            }
        if isinstance(strategy, FedAdam) and strategy.m_t and strategy.v_t:
            first = {f"first/{name}": strategy.m_t[name] for name in order}
            return first | {f"second/{name}": strategy.v_t[name] for name in order}
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up the state that :meth:`state` returned."""
        slots: dict[str, dict[str, NDArray[Any]]] = {}
        for key in sorted(state):
            slot, name = key.split("/", 1)
            slots.setdefault(slot, {})[name] = state[key]
        if isinstance(self._strategy, FedAvgM) and slots:
            self._strategy.momentum_vector = list(slots["momentum"].values())
        elif isinstance(self._strategy, FedAdam) and slots:
            self._strategy.m_t, self._strategy.v_t = slots["first"], slots["second"]


def require_finite_model(values: Tensors, what: str, *, rate: str) -> None:
    """Refuse the result of a round that has overflowed.

    Args:
        values: The next model, and what else would be kept of the round.
        what: What it is, to begin the message with.
        rate: Setting of the learning rate that may have been too large.

    Raises:
        RoundFailedError: If a value is not finite.
    """
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise RoundFailedError(
                f"{what} has values that are not finite, the first in {name}.",
                hint="Nothing of this round is kept. Begin the study again in another folder "
                f"with a smaller {rate}.",
            )


def _strategy(settings: FederationSettings) -> FedAvg:
    if settings.strategy == "fedavgm":
        return FedAvgM(
            weighted_by_key=_WEIGHT,
            server_learning_rate=settings.server_learning_rate,
            server_momentum=settings.server_momentum,
        )
    if settings.strategy == "fedadam":
        return FedAdam(
            weighted_by_key=_WEIGHT,
            eta=settings.server_learning_rate,
            beta_1=settings.server_beta1,
            beta_2=settings.server_beta2,
            tau=settings.server_tau,
        )
    return FedAvg(weighted_by_key=_WEIGHT)


def _record(tensors: Tensors) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(tensors[name])) for name in sorted(tensors)})


def _message(update: Update) -> Message:
    """Wrap an update as the reply that Flower's strategies take."""
    weight = MetricRecord({_WEIGHT: float(update.weight)})
    content = RecordDict({"arrays": _record(update.tensors), "weight": weight})
    return Message(content, dst_node_id=0, message_type=MessageType.TRAIN)
