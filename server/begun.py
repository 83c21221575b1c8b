"""Under which names a run knows its base and its training: those that it was begun with.

Earlier releases named a base by its weights alone, and a training with its patience. A run, its
sites' approvals and their ledgers keep the names that they began with.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..common.files import write_atomically
from ..config.study import Study
from ..errors import CheckpointError
from ..model.integrity.digest import generator_digest, weights_digest
from .terms import earlier_training_digest, training_digest

#: Folder of the checkpoints in a run's own, and the file that says whose they are.
CHECKPOINTS = "checkpoints"
ABOUT = "checkpoint.json"
_NAMES = "names.json"


@dataclass(frozen=True, kw_only=True)
class Begun:
    """How a run is named.

    Attributes:
        base: Digest of the generator that it starts from.
        training: Digests that its checkpoints may have; new ones get the first.
    """

    base: str
    training: tuple[str, ...]


def begun(run: Path, study: Study, base: Path) -> Begun:
    """Return the names of a run, which may not have begun yet.

    Args:
        run: The run's folder.
        study: Its study, whose patience may have changed since it began.
        base: Folder of the generator that it starts from.
    """
    names = [_named(study, digest) for digest in (generator_digest(base), weights_digest(base))]
    names_on_disk = _kept(run / _NAMES)
    for one in names:
        if names_on_disk is not None and names_on_disk.training[0] == one.training[0]:
            return replace(
                one, training=tuple(dict.fromkeys((*names_on_disk.training, *one.training)))
            )
    digests = _written(run / CHECKPOINTS)
    return next((one for one in names if digests & set(one.training)), names[0])


def keep_names(run: Path, study: Study, base: str) -> None:
    """Keep the names that a run was begun with, before its patience is changed.

    Args:
        run: The run's folder.
        study: Its study as it was begun.
        base: Digest of the generator that it starts from, as the sites know it.
    """
    names, before = _named(study, base), _kept(run / _NAMES)
    if before is not None and before.training[0] == names.training[0]:
        # Its patience may have been changed before, and no checkpoint written since.
        names = replace(names, training=tuple(dict.fromkeys((*before.training, *names.training))))
    write_atomically(run / _NAMES, json.dumps(asdict(names), indent=2).encode())


def _named(study: Study, base: str) -> Begun:
    training = (training_digest(study, base), earlier_training_digest(study, base))
    return Begun(base=base, training=training)


def _kept(path: Path) -> Begun | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Begun(base=str(content["base"]), training=tuple(map(str, content["training"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is damaged.", hint="Remove it, and resume with the patience of the beginning."
        ) from error


def _written(checkpoints: Path) -> set[str]:
    """Return the digests in the checkpoints that can be read."""
    digests = set()
    for file in checkpoints.glob(f"round-*/{ABOUT}"):
        try:
            digests.add(str(json.loads(file.read_text(encoding="utf-8"))["study"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged: whoever loads it says so
    return digests
