"""Options that several commands share, and the study that they add up to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ..config.study import Study


class LabelName(StrEnum):
    """What a row of a table of labels may name."""

    IMAGE = "image"
    SERIES = "series"
    STUDY = "study"
    ACCESSION = "accession"
    PATIENT = "patient"


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Study as TOML; `fedscan config` writes one.", metavar="FILE"
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="Override one setting, e.g. `--set privacy.epsilon=4`. Repeatable; the last wins.",
        metavar="SECTION.KEY=VALUE",
    ),
]

GeneratorArgument = Annotated[
    Path, typer.Argument(help="Generator folder, or the folder of a run that holds one.")
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        help="Table (CSV) with findings, splits or reports of images; it stays at the site.",
        metavar="FILE",
    ),
]
LabelsByOption = Annotated[
    LabelName | None,
    typer.Option(help="What its rows are matched by. [default: the most exact name it has]"),
]
AllShowOption = Annotated[
    str,
    typer.Option(
        help="What all pictures (PNG, JPEG) show where their table does not say: 'chest X-ray'.",
        metavar="WORDS",
    ),
]
SigningKeyOption = Annotated[
    Path | None,
    typer.Option(
        envvar="FEDSCAN_SIGNING_KEY",
        help="Ed25519 key that signs the manifest; made on first use.",
    ),
]


DeclaredOption = Annotated[
    list[int] | None,
    typer.Option(
        "--patients",
        "-p",
        min=1,
        help="Training patients that a site declares, roughly; once for each. All sites see them. "
        "[default: outlook.patients]",
    ),
]
SiteHomeOption = Annotated[
    Path, typer.Option("--home", help="The site's home folder.", envvar="FEDSCAN_SITE_HOME")
]
SITE_HOME = Path("site")
DeviceOption = Annotated[
    str,
    typer.Option(
        envvar="FEDSCAN_DEVICE",
        help="Where to compute: auto (a GPU where there is one), cpu, cuda, cuda:N or mps.",
    ),
]
AnywayOption = Annotated[
    bool,
    typer.Option(
        "--anyway",
        help="Draw also what cannot be read or was never learnt: the images show something else.",
    ),
]


def signing_key_from(path: Path | None) -> Ed25519PrivateKey:
    """Open the key that signs what is generated: the one given, or the user's own."""
    from ..applications.signing import own_signing_key

    return own_signing_key(path)


def run_study_from(model: Path, config: Path | None, sets: list[str] | None) -> Study:
    """Load the study of a run, unless another one is given.

    Args:
        model: The run's folder, or that of a generator alone, which has no study.
        config: TOML file to use instead, if any.
        sets: The ``--set`` overrides.

    Raises:
        ConfigurationError: If the study is not valid.
    """
    own = model / "study.toml"
    return study_from(config or (own if own.exists() else None), sets)


def study_from(
    config: Path | None, sets: list[str] | None, flags: dict[str, Any] | None = None
) -> Study:
    """Load the study that the options describe.

    Args:
        config: TOML file, if any.
        sets: The ``--set`` overrides.
        flags: Settings that have an option of their own, by path; ``None`` is "not given".
            They win over ``--set``.

    Raises:
        ConfigurationError: If the study is not valid.
    """
    from ..config.study import load_study

    assignments = [f"{path}={value}" for path, value in (flags or {}).items() if value is not None]
    return load_study(config, [*(sets or ()), *assignments])
