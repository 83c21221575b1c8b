"""All that a base is trained on, put together: public images by their weights, and phantoms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ...imaging.dicom.index import index_folder
from ...imaging.examples.pictures import holds_scans, own_table, picture_paths, read_picture
from ...imaging.labels.fit import require_fitting
from ...imaging.labels.source import ImageKeys, LabelReport
from ...imaging.labels.table import read_table
from ...imaging.settings import DataSettings
from ...model.pretraining.examples import ExampleBank, bank_of
from ...model.words.vocabulary import Vocabulary
from .copies import Forbidden, thumbnails
from .reading import PublicScans
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
        refusals: Images left out because a folder of ``--never`` has them.
        labels: How the table that was used fits, by folder; of folders with a table.
        left_out: Files (or blank slices) that are not used, by folder and reason.
    """

    banks: list[tuple[float, ExampleBank]] = field(default_factory=list)
    images: Counter[str] = field(default_factory=Counter)
    refusals: Refused = field(default_factory=Refused)
    labels: dict[str, LabelReport] = field(default_factory=dict)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)


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
        images, owners = _pictures(folder, vocabulary, image_size)
        if not images or holds_scans(folder):
            # Without a table, which could hold somebody out: nobody of this folder is to be used.
            settings = DataSettings(image_size=image_size)
            index = index_folder(folder, settings, words=vocabulary)
            scans = PublicScans(folder, index, settings).read(no_progress)
            images += [example.image for example in scans.examples]
            owners |= set(scans.patients)
        parts.append(thumbnails(np.stack(images)))
        patients |= owners
    return Forbidden(np.concatenate(parts), frozenset(patients))


def _pictures(
    folder: Path, vocabulary: Vocabulary, image_size: int
) -> tuple[list[NDArray[np.float32]], set[str]]:
    """Read all pictures of a folder, whatever a table says of them, and whose they are."""
    paths = picture_paths(folder)
    images = [image for path in paths if (image := read_picture(path, image_size)) is not None]
    table, patients = own_table(folder), set[str]()
    if images and table is not None:
        rows = read_table(table, vocabulary).begin()
        keys = (ImageKeys(path=str(path.relative_to(folder))) for path in paths)
        patients = {patient for one in keys if (patient := rows.patient_of(one))}
    return images, patients


def collect_public(
    sources: tuple[PublicSource, ...],
    vocabulary: Vocabulary,
    image_size: int,
    *,
    never: tuple[Path, ...] = (),
    report: Progress = no_progress,
) -> Collected:
    """Read public folders, less what must not be trained on.

    Args:
        sources: The folders.
        vocabulary: The words of captions.
        image_size: Side of the images, pixels.
        never: Folders whose images and patients must not be trained on.
        report: Told how much is read.

    Raises:
        DataError: If a folder holds nothing that can be used, one of ``never`` has no image, or a
            table that was asked for is about no image of any folder.
    """
    collection = Collected()
    folders = [source.open(vocabulary, image_size, evens_out=True) for source in sources]
    if not any(one.requested_fit is not None and one.requested_fit.matched for one in folders):
        for one in folders:
            require_fitting(one.requested_fit)
    # Only now, for it takes long: a table that does not fit is told of at once.
    forbidden = read_forbidden(never, vocabulary, image_size)
    same_count = patient_count = 0
    for source, folder in zip(sources, folders, strict=True):
        images = folder.read(report)
        examples, patients, names = images.examples, images.patients, images.sources
        if folder.fit is not None:
            collection.labels[str(source.folder)] = folder.fit
        if images.left_out:
            collection.left_out[str(source.folder)] = dict(images.left_out)
        use = np.ones(len(examples), np.bool_)
        if forbidden is not None:
            same, of_patients = forbidden.among(images.thumbnails, patients)
            same_count += int(same.sum())
            patient_count += int((of_patients & ~same).sum())
            use = ~(same | of_patients)
        indices = np.flatnonzero(use)
        if not len(indices):
            raise DataError(
                f"All {len(examples)} images of {source.folder} are in a folder of --never.",
                hint="Leave out this --data.",
            )
        bank = bank_of([examples[n] for n in indices], [patients[n] for n in indices])
        collection.banks.append((source.weight, bank))
        for number in indices:
            name = source.folder.name
            name += f": {names[number]}" if names[number] else ""
            collection.images[name] += 1
    collection.refusals = Refused(same=same_count, patients=patient_count)
    return collection
