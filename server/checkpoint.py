"""Checkpoints of the federation: after a crash at any moment, a run resumes to the same bytes.

A checkpoint is a folder ``round-000012`` with ``state.safetensors`` and ``checkpoint.json``,
which holds the SHA-256 of the former. It is written under another name, synced and renamed,
so it is there as a whole or not at all; a disk that damages it later is noticed by the hash,
and the run falls back to the one before.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..common.files import replacing, sync_folder, write_durably
from ..errors import CheckpointError

_STATE = "state.safetensors"
_ABOUT = "checkpoint.json"
_GROUPS = ("model", "average", "optimizer")


@dataclass(frozen=True, kw_only=True, eq=False)
class FederationState:
    """Everything the next round depends on.

    Attributes:
        round: Last finished round; 0 before the first.
        model: The trainable tensors.
        average: Their moving average over rounds; empty if the study keeps none.
        optimizer: State of the server's optimiser.
    """

    round: int
    model: dict[str, NDArray[Any]]
    average: dict[str, NDArray[Any]] = field(default_factory=dict)
    optimizer: dict[str, NDArray[Any]] = field(default_factory=dict)

    def final(self) -> dict[str, NDArray[Any]]:
        """Return the tensors of the finished generator: the average where there is one."""
        return self.average or self.model

    def next_average(
        self, model: Mapping[str, NDArray[Any]], decay: float
    ) -> dict[str, NDArray[Any]]:
        """Return the moving average over rounds with the next model in it; empty if none is kept.

        Early on the decay is smaller, as in diffusers' EMAModel, so that the average does not
        remember the untrained start.

        Args:
            model: The next round's model.
            decay: Decay for each round; 0 keeps no average.
        """
        if decay == 0.0:
            return {}
        before = self.average or self.model
        keep = min(decay, (1 + self.round) / (10 + self.round))
        return {
            name: (keep * before[name] + (1 - keep) * array).astype(array.dtype)
            for name, array in model.items()
        }


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they lie; made on the first save.
        study: Digests of the study; a checkpoint with another one is refused, and new ones get
            the first.
        limit: How many of the latest are kept.
    """

    def __init__(self, folder: Path, *, study: tuple[str, ...], limit: int) -> None:
        self._folder = folder
        self._study = study
        self._limit = limit

    def save(self, state: FederationState) -> Path:
        """Write a checkpoint durably, then remove those that are no longer kept."""
        tensors = {
            f"{group}:{name}": np.ascontiguousarray(array)
            for group in _GROUPS
            for name, array in getattr(state, group).items()
        }
        content = save(tensors)
        about = {
            "round": state.round,
            "study": self._study[0],
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        final = self._folder / _name(state.round)
        with replacing(final) as temporary:
            temporary.mkdir()
            write_durably(temporary / _STATE, content)
            write_durably(temporary / _ABOUT, json.dumps(about, indent=2).encode())
            sync_folder(temporary)
        sync_folder(self._folder)
        for old in self._names()[: -self._limit]:
            shutil.rmtree(self._folder / old, ignore_errors=True)
        return final

    def latest(self, on_skip: Callable[[str, str], None]) -> FederationState | None:
        """Return the newest state that is undamaged, or ``None`` if there was never one.

        Args:
            on_skip: Told the name of each damaged checkpoint and what is wrong with it.

        Raises:
            CheckpointError: If there are checkpoints but none is usable, or they are of
                another study.
        """
        names = self._names()
        for name in reversed(names):
            try:
                return self._load(self._folder / name)
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as failure:
                on_skip(name, f"{type(failure).__name__}: {failure}")
        if names:
            raise CheckpointError(
                f"All {len(names)} checkpoints in {self._folder} are damaged.",
                hint="Restore the folder from a backup, or start the study anew without --resume.",
            )
        return None

    def of_round(self, number: int) -> FederationState:
        """Return the state after a round.

        Raises:
            CheckpointError: If it is not kept, or damaged.
        """
        names = self._names()
        if _name(number) not in names:
            raise CheckpointError(
                f"There is no checkpoint of round {number} in {self._folder}.",
                hint=f"There are: {', '.join(names) or 'none'}. "
                "federation.checkpoints_kept says how many of the latest are kept.",
            )
        try:
            return self._load(self._folder / _name(number))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as failure:
            raise CheckpointError(
                f"The checkpoint of round {number} is damaged.", hint="Take another round's."
            ) from failure

    def has_rounds(self) -> bool:
        """Return whether a round has been finished, so that sites have paid for one."""
        return any(name != _name(0) for name in self._names())

    def discard(self) -> None:
        """Remove all checkpoints: the study starts anew."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _load(self, folder: Path) -> FederationState:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        content = (folder / _STATE).read_bytes()
        if hashlib.sha256(content).hexdigest() != about["sha256"]:
            raise ValueError("the content does not match its SHA-256")
        if about["study"] not in self._study:
            raise CheckpointError(
                f"{folder} is a checkpoint of another study.",
                hint="Resume with the configuration it was started with, or use another folder.",
            )
        groups: dict[str, dict[str, NDArray[Any]]] = {group: {} for group in _GROUPS}
        for key, array in load(content).items():
            group, name = key.split(":", 1)
            groups[group][name] = array
        return FederationState(round=int(about["round"]), **groups)

    def _names(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("round-*"))


def _name(number: int) -> str:
    return f"round-{number:06d}"
