"""The model card: what a generator is, what it was made from, and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .generator import Generator
from .words.learnt import KEY as LEARNT

NOT_FOR_DIAGNOSIS = (
    "Everything this generator makes is synthetic. It is not for diagnosis, and shows no patient."
)


_OPENED = (
    "from diffusers import DiffusionPipeline",
    "",
    'pipeline = DiffusionPipeline.from_pretrained("this-folder", trust_remote_code=True)',
)
_OPENED_STANDARD = (
    "from diffusers import StableDiffusionPipeline",
    "",
    'pipeline = StableDiffusionPipeline.from_pretrained("this-folder")',
)


def render_model_card(generator: Generator, facts: Mapping[str, Any]) -> str:
    """Write the card as Markdown with the metadata block that model hubs read.

    Args:
        generator: The generator, for its dimensions.
        facts: Statements about data, privacy and measures; nested mappings become sections.
    """
    channels, height, width = generator.latent_shape
    millions = sum(p.numel() for p in generator.parameters()) / 1e6
    position = "a slice position in [0, 1]" if generator.takes_position else "no slice position"
    spatial = "spatial conditions (mask, edges, partial image)"
    spatial = spatial if generator.takes_spatial else f"no {spatial}"
    lines = [
        "---",
        "library_name: diffusers",
        "pipeline_tag: text-to-image",
        "tags: [medical, synthetic, federated-learning, differential-privacy, fedscan]",
        "---",
        "",
        f"# {facts.get('name', 'fedscan generator')}",
        "",
        f"**{NOT_FOR_DIAGNOSIS}**",
        "",
        "## What it is",
        "",
        f"A conditional latent diffusion model: {generator.image_size}×{generator.image_size} "
        f"grey-level images, latents {channels}×{height}×{width}, {millions:.1f} million "
        f"parameters without the frozen text encoder ({_text_encoder(generator)}).",
        f"It takes a caption, {position} and {spatial}.",
        "",
        "```python",
        *(_OPENED if generator.stable_diffusion is None else _OPENED_STANDARD),
        'image = pipeline("axial CT slice of the head, no finding").images[0]',
        "```",
        "",
    ]
    for key, value in facts.items():
        if key == LEARNT:
            lines += _learnt(value)
        elif key != "name":
            lines += _section(key, value)
    return "\n".join(lines)


def _text_encoder(generator: Generator) -> str:
    encoder = generator.caption_encoder
    return "kept in `caption_encoder/`" if encoder.is_own else f"`{encoder.name}`"


def _learnt(record: Mapping[str, Any]) -> list[str]:
    """What was learnt together, a line for each modality and place."""
    lines = ["## Learnt", "", f"Also: {record['also']}.", ""]
    for key in ("combinations", "regions"):
        for place, findings in record[key].items():
            text = ", ".join(findings) or "no finding is stated"
            lines.append(f"- **{place}**{' (region)' if key == 'regions' else ''}: {text}")
    return [*lines, ""]


def _section(title: str, value: Any) -> list[str]:
    heading = f"## {title.replace('_', ' ').capitalize()}"
    if isinstance(value, Mapping):
        return [heading, "", *(f"- **{name}**: {item}" for name, item in value.items()), ""]
    if isinstance(value, list | tuple):
        return [heading, "", *(f"- {item}" for item in value), ""]
    return [heading, "", str(value), ""]
