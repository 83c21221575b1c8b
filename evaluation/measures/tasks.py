"""Classification tasks that the captions of a data set allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.description import Description
from .image_sets import ImageSet, RealSets


@dataclass(frozen=True, kw_only=True)
class Task:
    """Tell apart images by one field of their description.

    Attributes:
        key: Short stable name.
        field: Field of :class:`Description` that names the class, or several words of which one
            does.
        classes: Words of that field, one per class; images with other words take no part.
    """

    key: str
    field: str
    classes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name for people, such as ``"no finding against pneumonia"``."""
        return " against ".join(self.classes)

    def label(self, description: Description) -> int | None:
        """Class of an image, or ``None`` if it takes no part."""
        value = getattr(description, self.field)
        words = value if isinstance(value, tuple) else (value,)
        classes = [number for number, word in enumerate(self.classes) if word in words]
        return classes[0] if len(classes) == 1 else None

    def labels(self, descriptions: Sequence[Description]) -> NDArray[np.int64]:
        """Classes of many images, -1 where an image takes no part; int64 ``[N]``."""
        labels = [self.label(description) for description in descriptions]
        return np.array([-1 if label is None else label for label in labels], np.int64)


#: Per family the candidates, best first; the first that the data allow is used.
_FAMILIES: tuple[tuple[Task, ...], ...] = (
    (
        Task(key="pneumonia", field="finding", classes=("no finding", "pneumonia")),
        Task(key="covid-19", field="finding", classes=("no finding", "COVID-19")),
        Task(key="other-finding", field="finding", classes=("no finding", "other finding")),
    ),
    (Task(key="lesion", field="finding", classes=("no finding", "lesion")),),
    (
        Task(
            key="contrast",
            field="modality",
            classes=("T1-weighted MR", "T2-weighted MR", "CT"),
        ),
        Task(key="weighting", field="modality", classes=("T1-weighted MR", "T2-weighted MR")),
        Task(key="modality", field="modality", classes=("MR", "CT")),
    ),
)


def choose_tasks(real: RealSets, *, min_patients_per_class: int) -> tuple[Task, ...]:
    """Choose the tasks whose every class has enough patients, training and held out."""

    return tuple(
        task
        for family in _FAMILIES
        for task in [one for one in family if _fits(one, real, min_patients_per_class)][:1]
    )


def task_of_word(word: str, real: RealSets, *, min_patients_per_class: int) -> Task | None:
    """Return the task that tells a word apart: among those chosen, else against no finding.

    Args:
        word: A class of a task, or a finding as finely as images name it.
        real: Training and held-out images.
        min_patients_per_class: Patients that each class needs in both.

    Returns:
        ``None`` where the data do not allow it.
    """
    own = Task(key="named", field="known_findings", classes=("no finding", word))
    usual = choose_tasks(real, min_patients_per_class=min_patients_per_class)
    if task := next((task for task in usual if word in task.classes), None):
        return task
    return own if _fits(own, real, min_patients_per_class) else None


def _fits(task: Task, real: RealSets, least: int) -> bool:
    return all(
        count >= least
        for images in (real.train, real.holdout)
        for count in patients_per_class(task, images)
    )


def patients_per_class(task: Task, images: ImageSet) -> tuple[int, ...]:
    """Count the patients with at least one image of each class."""
    labels = task.labels(images.descriptions)
    patients = np.array(images.patients)
    return tuple(len(set(patients[labels == value])) for value in range(len(task.classes)))
