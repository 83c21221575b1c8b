"""Groups of patients that are compared: by sex, age band, site and scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..measures.image_sets import ImageSet


@dataclass(frozen=True, kw_only=True)
class PatientGroup:
    """A group that is large enough to be spoken of.

    Attributes:
        attribute: "sex", "age band", "site" or "scanner".
        name: Such as "female" or "hospital-a".
        patients: Held-out patients in it.
    """

    attribute: str
    name: str
    patients: int


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """All groups of some held-out patients.

    Attributes:
        groups: Those with enough patients, by attribute, the attributes in their order.
        suppressions: Groups with too few patients, by attribute.
        one_scanner_each: Whether every site has one scanner of its own. Then scanners are no
            groups: each comparison would be that of the sites once more.
    """

    groups: tuple[PatientGroup, ...]
    suppressions: dict[str, int]
    one_scanner_each: bool = False

    def of(self, attribute: str) -> tuple[PatientGroup, ...]:
        """Return the groups of one attribute."""
        return tuple(group for group in self.groups if group.attribute == attribute)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of which there is something to say."""
        attributes = [group.attribute for group in self.groups]
        return tuple(dict.fromkeys([*attributes, *self.suppressions]))


def labels(images: ImageSet) -> dict[str, tuple[str, ...]]:
    """Name the group of each image by attribute; "" where it is not known."""
    no_names = ("",) * len(images)
    return {
        "sex": tuple(description.sex for description in images.descriptions),
        "age band": tuple(description.age_band for description in images.descriptions),
        "site": images.sites or no_names,
        "scanner": images.scanners or no_names,
    }


def find_groups(train: ImageSet, holdout: ImageSet, *, min_patients: int) -> Grouping:
    """Find the groups that both sides have, and set small ones aside.

    Args:
        train: Images of patients trained on.
        holdout: Images of held-out patients.
        min_patients: Held-out patients that a group needs.
    """
    groups: list[PatientGroup] = []
    suppressions: dict[str, int] = {}
    train_labels = labels(train)
    patients = np.array(holdout.patients)
    one_each = _one_scanner_each(train, holdout)
    for attribute, names in labels(holdout).items():
        if attribute == "scanner" and one_each:
            continue
        owner = np.array(names)
        for name in sorted(set(names) - {""}):
            count = len(set(patients[owner == name]))
            if count >= min_patients and name in train_labels[attribute]:
                groups.append(PatientGroup(attribute=attribute, name=name, patients=count))
            else:
                suppressions[attribute] = suppressions.get(attribute, 0) + 1
    return Grouping(groups=tuple(groups), suppressions=suppressions, one_scanner_each=one_each)


def _one_scanner_each(train: ImageSet, holdout: ImageSet) -> bool:
    parts = [labels(images) for images in (train, holdout)]
    pairs = {pair for one in parts for pair in zip(one["site"], one["scanner"], strict=True)}
    sites, scanners = ({pair[side] for pair in pairs} for side in (0, 1))
    return "" not in scanners and len(sites) == len(scanners) == len(pairs)


def prompts_for(
    train: ImageSet, grouping: Grouping, *, per_group: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose training images whose captions give every group its share of synthetic images.

    Args:
        train: Images of patients trained on.
        grouping: The groups.
        per_group: Prompts that each group has at least.
        rng: Randomness.

    Returns:
        Indices of training images, repeated where a group has few.
    """
    train_labels = labels(train)
    rows = np.resize(rng.permutation(len(train)), per_group)
    for group in grouping.groups:
        own = np.flatnonzero(np.array(train_labels[group.attribute]) == group.name)
        lacking = per_group - int(np.isin(rows, own).sum())
        if lacking > 0:
            rows = np.concatenate([rows, np.resize(rng.permutation(own), lacking)])
    return rows.astype(np.int64)


def members(images: ImageSet, group: PatientGroup) -> NDArray[np.bool_]:
    """Say of each image whether it belongs to a group."""
    belongs: NDArray[np.bool_] = np.array(labels(images)[group.attribute]) == group.name
    return belongs
