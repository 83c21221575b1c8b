"""Questions that a person answers on the terminal, and what stands for an answer in scripts."""

from __future__ import annotations

from typing import Annotated

import click
import typer

from ..errors import ConfigurationError

YesOption = Annotated[bool, typer.Option("--yes", help="Go on without being asked.")]
FingerprintOption = Annotated[
    str,
    typer.Option(
        help="The fingerprint that you were told: go on if it is this one, without being asked."
    ),
]


def confirmed(question: str, *, yes: bool, option: str = "--yes") -> bool:
    """Return a person's answer to a question; what was given as an option stands for it.

    Args:
        question: The question, without its question mark's choices.
        yes: Whether the option was given.
        option: What a script gives instead of an answer.

    Raises:
        ConfigurationError: If nobody answered.
    """
    if yes:
        return True
    try:
        return typer.confirm(question)
    except click.Abort:
        raise ConfigurationError(
            f"Nobody answered: {question}",
            hint=f"Nothing was changed. Where nobody can be asked, give {option}.",
        ) from None
