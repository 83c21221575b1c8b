"""A data card shows noised numbers with their noise, and nothing that is lost in it."""

from __future__ import annotations

import numpy as np
from fedscan.evaluation.data_card import data_card_section
from fedscan.model.statistics.composition import Composition, cells


def composition(patients: dict[tuple[str, str], float], noise: float = 4.0) -> Composition:
    return Composition(
        patients=tuple(patients.get(cell, 0.0) for cell in cells()),
        deviation=noise * np.sqrt(5),
        noise_multiplier=noise,
        delta=1e-5,
    )


def test_cells_are_summed_over_sites_and_small_ones_left_out():
    of = {("sex", "female"): 300.0, ("sex", "male"): 200.0, ("modality", "CT"): 500.0}
    small = {("sex", "female"): 40.0, ("sex", "male"): 3.0, ("finding", "lesion"): 9.0}
    section = data_card_section({"b": composition(small), "a": composition(of)})
    rows = {row[:2]: row[2:] for row in section.tables[0].rows}
    assert section.tables[0].columns[-2:] == ("a", "b")
    margin = round(1.96 * 4 * np.sqrt(5))
    assert rows["sex", "female"] == (
        f"340 ± {round(1.96 * 4 * np.sqrt(10))}",
        f"300 ± {margin}",
        f"40 ± {margin}",
    )
    assert rows["sex", "male"][2].startswith("<")
    assert ("finding", "lesion") not in rows


def test_a_studys_own_words_stand_beside_a_site_that_does_not_count_them():
    finer = {"finding_word": ("chordoma", "gout")}
    numbers = dict.fromkeys(cells(finer), 0.0)
    numbers["finding_word", "chordoma"] = 120.0
    counting = Composition(
        patients=tuple(numbers.values()),
        deviation=5.0,
        noise_multiplier=2.0,
        delta=1e-5,
        finer=finer,
    )
    section = data_card_section({"new": counting, "old": composition({("sex", "male"): 90.0})})
    rows = {row[:2]: row[2:] for row in section.tables[0].rows}
    assert rows["finding word", "chordoma"] == ("120 ± 10", "120 ± 10", None)
    assert rows["sex", "male"][2].startswith("90")
    assert ("finding word", "gout") not in rows


def test_the_number_of_patients_is_estimated_within_its_interval():
    rng = np.random.default_rng(0)
    exact = {cell: 0.0 for cell in cells()}
    for attribute in dict(cells()):
        own = [cell for cell in cells() if cell[0] == attribute]
        exact.update(zip(own, rng.multinomial(800, np.full(len(own), 1 / len(own))), strict=True))
    noised = {cell: n + rng.normal(0, 4 * np.sqrt(5)) for cell, n in exact.items()}
    measure = data_card_section({"site": composition(noised)}).measures[0]
    assert measure.low < 800 < measure.high
    assert measure.high - measure.low < 100


def test_without_counts_it_says_so():
    section = data_card_section({})
    assert "nothing can be disclosed" in section.summary
    assert not section.tables
