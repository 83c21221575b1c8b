"""``fedscan verify``: are generated files as they were made?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from .console import output
from .json_output import print_json
from .options import JsonOption

_EPILOG = """\
Examples:

- `fedscan verify generated`

- `fedscan verify generated --signer 3f9a1c` also demands that this key signed it.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify", epilog=_EPILOG)(verify)


def verify(
    folder: Annotated[Path, typer.Argument(help="Folder that `fedscan generate` wrote.")],
    signer: Annotated[
        str, typer.Option(help="Fingerprint, or its beginning, of the key that must have signed.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check a folder of generated files against its signed manifest.

    A missing or changed file, a changed manifest or another signer is an error that names it.
    Files that the manifest does not list are named, too: nothing vouches for them.
    """
    from ..imaging.writing.manifest import check_folder

    result = check_folder(folder, signer=signer)
    if as_json:
        print_json({"folder": folder, **vars(result)})
        return
    for name in result.unlisted:
        output().print(Text(f"not in the manifest: {name}"))
    output().print(
        Text(
            f"{counted(len(result.files), 'file')} as they were made, by generator "
            f"{result.generator[:16]}, signed by {result.signer}"
        )
    )
