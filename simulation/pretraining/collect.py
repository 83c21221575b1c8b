"""All that a base is trained on, put together: public images by their weights, and phantoms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ...model.pretraining.examples import ExampleBank, bank_of
from ...model.words.vocabulary import Vocabulary
from .copies import Forbidden, thumbnails
from .source import PublicSource


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Images that were left out because a folder of ``--never`` has them.

    Attributes:
        same: Equal or nearly equal pictures.
        patients: Other pictures of patients who are there.
    """

    same: int = 0
    patients: int = 0


@dataclass(kw_only=True)
class Collected:
    """What was read of all public folders.

    Attributes:
        banks: (weight, images) of each folder.
        images: Images used, by folder and source: ``films: kermany``.
        refusals: Images left out.
    """

    banks: list[tuple[float, ExampleBank]] = field(default_factory=list)
    images: Counter[str] = field(default_factory=Counter)
    refusals: Refused = field(default_factory=Refused)


def read_forbidden(
    folders: tuple[Path, ...], vocabulary: Vocabulary, image_size: int
) -> Forbidden | None:
    """Read the folders whose images and patients must not be trained on; nothing without any.

    Raises:
        DataError: If one holds no image.
    """
    if not folders:
        return None
    parts, patients = [], set()
    for folder in folders:
        examples, owners, _ = PublicSource(folder=folder).read(vocabulary, image_size)
        parts.append(thumbnails(np.stack([example.image for example in examples])))
        patients.update(owners)
    return Forbidden(np.concatenate(parts), frozenset(patients))


def collect_public(
    sources: tuple[PublicSource, ...],
    vocabulary: Vocabulary,
    image_size: int,
    *,
    never: Forbidden | None,
    report: Progress = no_progress,
) -> Collected:
    """Read public folders, less what must not be trained on.

    Args:
        sources: The folders.
        vocabulary: The words of captions.
        image_size: Side of the images, pixels.
        never: What must not be trained on.
        report: Told how much is read.

    Raises:
        DataError: If a folder holds nothing that can be used.
    """
    collection = Collected()
    same_count = patient_count = 0
    for source in sources:
        examples, patients, names = source.read(vocabulary, image_size, report)
        use = np.ones(len(examples), np.bool_)
        if never is not None:
            images = np.stack([example.image for example in examples])
            same, of_patients = never.among(images, patients)
            same_count += int(same.sum())
            patient_count += int((of_patients & ~same).sum())
            use = ~(same | of_patients)
        indices = np.flatnonzero(use)
        if not len(indices):
            raise DataError(
                f"All {len(examples)} images of {source.folder} are in a folder of --never.",
                hint="Leave out this --data.",
            )
        bank = bank_of([examples[one] for one in indices], [patients[one] for one in indices])
        collection.banks.append((source.weight, bank))
        for one in indices:
            name = f"{source.folder.name}: {names[one]}" if names[one] else source.folder.name
            collection.images[name] += 1
    collection.refusals = Refused(same=same_count, patients=patient_count)
    return collection
