"""What a study is for, in the words of the people who ask: part of what a steward approves."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

#: Shown on terminals and pages: no control characters, and not too long to be read.
_Text = Annotated[
    str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", examples=["plain text"])
]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class AboutSettings:
    """What people want to know of a study before they take part in it."""

    purpose: _Text = Field(default="", description="What the study is for, in plain words.")
    contact: _Text = Field(
        default="", description="Who answers questions: name, institution, mail or telephone."
    )
    ethics: _Text = Field(
        default="", description="Reference of the ethics approval, or why none is needed."
    )
    retention: _Text = Field(
        default="", description="How long updates, checkpoints and the generator are kept."
    )
    intended_use: _Text = Field(
        default="", description="Who may use the generator for what, and for what not."
    )

    def facts(self) -> dict[str, str]:
        """Return what is said by its heading, which stands for nothing where nothing is said."""
        return {
            "Purpose": self.purpose,
            "Contact": self.contact,
            "Ethics": self.ethics,
            "Retention": self.retention,
            "Use": self.intended_use,
        }

    def missing(self) -> str:
        """Return in words what is not said; empty if everything is."""
        return ", ".join(heading.lower() for heading, text in self.facts().items() if not text)
