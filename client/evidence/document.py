"""The document as one HTML page without scripts, which prints well."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import resources
from typing import Any

from markupsafe import Markup, escape

from ...common.html_templates import html_templates
from .controls import DSPT, SATRE
from .facts import Evidence


def render(evidence: Evidence, signer: str) -> bytes:
    """Return the page.

    Args:
        evidence: What it says.
        signer: Fingerprint of the key that will sign it.
    """
    templates = html_templates(
        "fedscan.client.evidence",
        moment=_moment,
        number=_number,
        prose=_prose,
        setting=_setting,
    )
    css = resources.files(__package__).joinpath("evidence.css").read_text("utf-8")
    text = templates.get_template("evidence.html.j2").render(
        **{one.name: getattr(evidence, one.name) for one in fields(evidence)},
        signer=signer,
        satre=SATRE,
        dspt=DSPT,
        css=Markup(css),
    )
    return text.encode()


def _moment(time: str) -> str:
    return time[:16].replace("T", " ")


def _number(value: float) -> str:
    return f"{value:.4g}"


def _prose(text: str) -> Markup:
    """Return a text whose `commands` are set as such."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _setting(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(map(str, value)) or "none named"
        case "":
            return "empty"
    return f"{value:g}" if isinstance(value, float) else str(value)
