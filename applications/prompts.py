"""Prompts as a generator understands them, and what it must not be asked to draw.

A generator answers everything with an image. Asked for a knee that it never saw, or in a language
that it does not read, it draws what it knows, and looks sure. So such a prompt is refused, unless
it is wanted all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import ConfigurationError, ModelError
from ..model.prompt import PromptReading, read_prompt
from ..model.words.learnt import Verdict
from .generator import LoadedGenerator

_HINT = "Name what is on the generator's card, or draw all the same with --anyway (anyway=True)."


def read(generator: LoadedGenerator, prompt: str) -> PromptReading:
    """Read a prompt in the generator's own words."""
    return read_prompt(prompt, generator.words)


def caption_of(generator: LoadedGenerator, prompt: str) -> str:
    """Return what the generator is given for a prompt: as it is, if it cannot be read."""
    description = read(generator, prompt).description
    return description.caption() if description else prompt


def require_drawable(generator: LoadedGenerator, prompts: Sequence[str]) -> None:
    """Refuse prompts that the generator can only answer with something else.

    Raises:
        ConfigurationError: If a prompt is empty.
        ModelError: If one is not understood, or asks for what the generator never learnt; names
            all of them.
    """
    if any(not prompt.strip() for prompt in prompts):
        raise ConfigurationError(
            "A prompt is empty.",
            hint='Write, for example, "axial CT of the head", or draw with --anyway (anyway=True).',
        )
    problems = [line for prompt in prompts for line in _refused(generator, prompt)]
    if problems:
        raise ModelError(" ".join(dict.fromkeys(problems)), hint=_HINT)


def notes(
    generator: LoadedGenerator,
    prompts: Sequence[str],
    *,
    anyway: bool = True,
    side: int | None = None,
) -> list[str]:
    """Return how prompts are understood, and what of them cannot be honoured or is in doubt.

    Args:
        generator: What they are for.
        prompts: The prompts.
        anyway: Whether they are drawn even if they are what :func:`require_drawable` refuses.
        side: Side of the images in pixels; the generator's own by default.
    """
    lines = []
    for prompt in prompts:
        reading, caption = read(generator, prompt), caption_of(generator, prompt)
        if caption != prompt:
            lines.append(f"{prompt!r} is read as {caption!r}")
        if reading.description is None:
            lines.append(f"{prompt!r} names no modality: given to the generator as it is")
        short = reading.shortcomings(side or generator.image_size)
        lines += [f"Not honoured: {line}" for line in short]
        if cut := generator.network.caption_encoder.unheard(caption):
            lines.append(f"Not honoured: {cut!r}, for the text encoder hears no more words.")
        verdict = _verdict(generator, reading)
        if anyway:
            warning = "NEVER LEARNT, so the image shows something else"
            lines += [f"{warning}: {one}." for one in verdict.never]
        lines += [f"It is not on record whether this was learnt: {s}." for s in verdict.doubtful]
    if generator.learnt is None:
        lines.append("This generator's card does not say what it has learnt.")
    return lines


def _refused(generator: LoadedGenerator, prompt: str) -> Iterator[str]:
    reading = read(generator, prompt)
    if reading.description is None:
        yield f"{prompt!r} cannot be read: it names no modality that the generator knows."
        return
    if (
        reading.unknown_words
        and not reading.places_named
        and not reading.description.known_findings
    ):
        strange = ", ".join(reading.unknown_words)
        yield f"{prompt!r} is not understood but for its modality: {strange}."
        return
    never, learnt = _verdict(generator, reading).never, generator.learnt
    if not never or learnt is None:
        return
    yield f"{prompt!r} asks for what the generator never learnt: {'; '.join(never)}."
    modality, place = reading.description.modality, reading.description.place
    if names := learnt.findings(modality, place):
        yield f"Of {modality}, {place} it learnt: {', '.join(names)}."
    elif names := learnt.places(modality):
        yield f"Of {modality} it learnt: {', '.join(names)}."


def _verdict(generator: LoadedGenerator, reading: PromptReading) -> Verdict:
    if generator.learnt is None or reading.description is None:
        return Verdict()
    # A finding may imply its place ("brain tumour"): then that place is asked for.
    names_place = reading.places_named or reading.description.body_part != "body"
    return generator.learnt.judge(reading.description, places_named=names_place)
