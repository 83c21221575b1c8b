"""A model card that gathers an examination and the outcome of its gate.

It is written beside the examination, not into the generator's folder: the record of a study is
signed over every file in there, and the numbers of an examination are made without noise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..common.counted import counted
from ..common.files import write_atomically
from ..model.generator import Generator
from ..model.model_card import render_model_card
from .results import Examination
from .section import Measure

#: Name of the file that :func:`write_card` writes.
FILE = "model-card.md"
_FACTS = "fedscan.json"


def write_card(
    examination: Examination, generator: Generator, generator_folder: Path, folder: Path
) -> Path:
    """Write the generator's card with what the examination found.

    Args:
        examination: What was found.
        generator: The generator, for its dimensions.
        generator_folder: Where it lies, with what its own card states.
        folder: The examination's folder.

    Returns:
        The card.
    """
    file = folder / FILE
    text = render_model_card(generator, _stated(generator_folder) | card_facts(examination))
    write_atomically(file, text.encode())
    return file


def card_facts(examination: Examination) -> dict[str, Any]:
    """What a card states of an examination, by heading."""
    facts: dict[str, Any] = {
        "examined": {
            "weights": f"sha256 {examination.generator}",
            "patients": f"{examination.train_patients} trained on, "
            f"{examination.holdout_patients} held out"
            + ("" if examination.own_split else "; not known to be the run's own split"),
        }
    }
    gate = examination.gate
    if gate is not None:
        failure = f"not passed, {len(gate.failures)} of {counted(len(gate.lines), 'line')} fail"
        verdict = "passed" if gate.passed else failure
        facts["release gate"] = [
            f"{gate.name}: **{verdict}**",
            *(
                f"{'passed' if line.passed else '**failed**'}: `{line.measure}` {line.bound}; "
                f"found {line.found}"
                for line in gate.lines
            ),
        ]
    for section in examination.sections:
        facts[section.title] = [
            section.summary,
            *(f"{measure.title}: {in_words(measure)}" for measure in section.measures),
        ]
    return facts


def in_words(measure: Measure) -> str:
    """A measure with its unit and interval."""
    if measure.inconclusive:
        return "inconclusive: it could have shown nothing"
    if measure.value is None:
        return "not measured"
    unit = f" {measure.unit}" if measure.unit else ""
    if measure.low is None and measure.high is None:
        return f"{measure.value:.3g}{unit}"
    if measure.high is None:
        return f"{measure.value:.3g}{unit} (at least {measure.low:.3g})"
    if measure.low is None:
        return f"{measure.value:.3g}{unit} (at most {measure.high:.3g})"
    return f"{measure.value:.3g}{unit} ({measure.low:.3g} to {measure.high:.3g})"


def _stated(folder: Path) -> dict[str, Any]:
    file = folder / _FACTS
    facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return facts
