"""The data card: who the training set is made of, from noised counts only."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..model.statistics.composition import ATTRIBUTES, Composition, cells
from ..privacy.accounting import epsilon
from ..privacy.mechanism import SubsampledGaussian
from .section import Cell, Grid, Measure, Section

KEY = "data"
#: Half the width of a 95 % interval, in standard deviations.
_95 = 1.96


def data_card_section(compositions: Mapping[str, Composition]) -> Section:
    """Disclose the composition of a training set.

    Every number carries the noise that its site added and paid for, so nothing here spends
    privacy. What does not stand out of the noise is shown as less than that.

    Args:
        compositions: What each site released, by its name; may be empty.
    """
    if not compositions:
        return Section(
            key=KEY,
            title="Who was it trained on?",
            summary="No site released noised counts, so nothing can be disclosed. A study asks "
            "for them with privacy.composition_share above 0.",
        )
    names = sorted(compositions)
    numbers = {
        name: dict(zip(compositions[name].cells, compositions[name].patients, strict=True))
        for name in names
    }
    deviations = {name: compositions[name].deviation for name in names}
    every_cell = dict.fromkeys(cell for name in names for cell in numbers[name])
    rows: list[tuple[Cell, ...]] = []
    for cell in every_cell:
        # A site of an earlier release counts the words of the frame alone.
        counting = [name for name in names if cell in numbers[name]]
        total = sum(numbers[name][cell] for name in counting)
        deviation = math.hypot(*(deviations[name] for name in counting))
        if total < _95 * deviation:
            continue
        attribute, word = cell
        rows.append(
            (
                attribute.replace("_", " "),
                word or "unknown",
                _shown(total, deviation),
                *(
                    _shown(numbers[name][cell], deviations[name]) if name in counting else None
                    for name in names
                ),
            )
        )
    frame = np.array([sum(numbers[name][cell] for name in names) for cell in cells()])
    patients, spread = _patients(frame, math.hypot(*deviations.values()))
    return Section(
        key=KEY,
        title="Who was it trained on?",
        summary=_summary(compositions, len(every_cell) - len(rows)),
        measures=(
            Measure(
                name="training_patients",
                title="Patients trained on, noised",
                value=round(patients),
                low=max(0.0, round(patients - _95 * spread)),
                high=round(patients + _95 * spread),
                unit="patients",
            ),
            Measure(
                name="composition_epsilon",
                title="Epsilon of the counts by themselves, the most of all sites",
                value=max(map(_epsilon, compositions.values())),
                better="lower",
                note="Part of what the sites' ledgers have on record, not on top of it.",
            ),
        ),
        tables=(
            Grid(
                title="Training patients, by what their images are described as (noised)",
                columns=("attribute", "word", "all sites", *names),
                rows=tuple(rows),
            ),
        ),
    )


def _patients(total: np.ndarray, deviation: float) -> tuple[float, float]:
    """Estimate the number of patients: every attribute's words add up to it.

    The estimates are weighted by their precision: the fewer words, the less noise.
    """
    weights = np.array([1 / len(words) for words in ATTRIBUTES.values()])
    starts = np.cumsum([0, *(len(words) for words in ATTRIBUTES.values())])[:-1]
    sums = np.add.reduceat(total, starts)
    return float(weights @ sums / weights.sum()), deviation / math.sqrt(float(weights.sum()))


def _shown(patients: float, deviation: float) -> str:
    """A noised number with half its 95 % interval, or a bound where it is lost in the noise."""
    margin = _95 * deviation
    if patients < margin:
        return f"< {math.ceil(2 * margin)}"
    return f"{patients:.0f} ± {margin:.0f}"


def _epsilon(composition: Composition) -> float:
    mechanism = SubsampledGaussian(1.0, composition.noise_multiplier, 1)
    return epsilon([mechanism], composition.delta)


def _summary(compositions: Mapping[str, Composition], omissions: int) -> str:
    sites = "1 site" if len(compositions) == 1 else f"{len(compositions)} sites"
    return (
        f"Numbers of training patients at {sites}, each with Gaussian noise that the site added "
        "before anybody else saw it and entered in its ledger. After ± stands half of the 95 % "
        f"interval of the noise; {omissions} cells that do not stand out of it are left out. "
        "Somebody with images of several kinds counts for each by their share."
    )
