"""The command ``fedscan`` and its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from . import (
    calibrate,
    config,
    coordinator,
    doctor,
    enhance,
    environment,
    evaluate,
    examine,
    generate,
    index,
    ledger,
    memory,
    mesh,
    monai_bundle,
    phantoms,
    plan,
    pretrain,
    reader_study,
    simulate,
    site,
    translate,
    tryout,
    verify,
    volume,
)
from .group import FedscanGroup

_EPILOG = """\
First steps:

- `fedscan phantoms hospitals` writes three hospitals of made-up patients, as DICOM.

- `fedscan index hospitals/hospital-a` shows what a site would train on, and what not.

- `fedscan simulate --data hospitals --out run` runs the whole federation on this machine.

- `fedscan try` runs a federation of real processes on this machine.

- `fedscan generate run --prompt "axial CT slice of the head, lesion"` makes images.

- `fedscan COMMAND --help` explains a command, with examples.

- Exit status: 0 done, 1 unexpected, 2 usage or configuration, 3 data, 4 privacy budget spent,
5 ledger, privacy or audit log, 6 model, 7 protocol, not approved or refused update, 8 failed
round, 9 checkpoint, 10 network or certificates, 11 release gate not passed, 130 interrupted.
"""

app = typer.Typer(
    name="fedscan",
    cls=FedscanGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
)
for _module in (
    phantoms,
    index,
    plan,
    memory,
    calibrate,
    simulate,
    tryout,
    generate,
    volume,
    enhance,
    translate,
    mesh,
    monai_bundle,
    verify,
    evaluate,
    examine,
    pretrain,
    reader_study,
    coordinator,
    site,
    doctor,
    ledger,
    config,
):
    _module.register(app)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"fedscan {__version__}")
        raise typer.Exit


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Hospitals train one medical image generator together; no scan leaves its site.

    Each site trains with patient-level differential privacy on its own DICOM files, and only
    noised weight updates are shared.
    """
    environment.set_defaults()


def run() -> None:
    """Entry point of the console script."""
    environment.speak_utf8()
    app()
