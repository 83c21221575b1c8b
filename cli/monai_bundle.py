"""``fedscan monai-bundle``: a generator as MONAI's users open it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output
from .json_output import print_json
from .options import GeneratorArgument, JsonOption

_EPILOG = """\
Examples:

- `fedscan monai-bundle run --out bundle`

- `cd bundle && python -m monai.bundle run --config_file configs/inference.json` draws images into
`output`; `--prompts "['axial CT of the head']" --count 8` says which and how many.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("monai-bundle", epilog=_EPILOG)(monai_bundle)


def monai_bundle(
    model: GeneratorArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the bundle.")] = Path(
        "bundle"
    ),
    as_json: JsonOption = False,
) -> None:
    """Write a generator as a MONAI bundle, which `monai.bundle` loads and samples from.

    fedscan must be installed where the bundle is run. Images say that they are synthetic, and lie
    beside a signed manifest, as those of `fedscan generate`.
    """
    from ..applications.monai_bundle import write_monai_bundle

    folder = write_monai_bundle(model, out)
    if as_json:
        print_json({"bundle": folder})
        return
    output().print(Text(f"The bundle is in {folder}"))
