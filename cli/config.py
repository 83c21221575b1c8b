"""``fedscan config``: show the configuration with its documentation."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import ConfigOption, SetOption, study_from

_EPILOG = """\
Examples:

- `fedscan config --set privacy.epsilon=4 > study.toml`

- `fedscan config --config study.toml --digest` checks a file.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("config", epilog=_EPILOG)(show_config)


def show_config(
    config: ConfigOption = None,
    sets: SetOption = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference of all settings instead.")
    ] = False,
    digest: Annotated[
        bool, typer.Option("--digest", help="Print only the SHA-256 of the settings' values.")
    ] = False,
) -> None:
    """Print a study as TOML, every setting explained; also checks a file.

    Without `--config`, all defaults are printed: redirect them to a file to start a study.
    """
    from ..config.reference import reference
    from ..config.study import study_digest, study_to_toml

    study = study_from(config, sets)
    if markdown:
        text = reference()
    elif digest:
        text = study_digest(study) + "\n"
    else:
        text = study_to_toml(study)
    typer.echo(text, nl=False)
