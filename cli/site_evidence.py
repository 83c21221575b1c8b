"""``fedscan site evidence`` and ``verify-evidence``: a document for information governance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import output, say
from .json_output import print_json
from .options import SITE_HOME, JsonOption, SiteHomeOption

_EPILOG = """\
Examples:

- `fedscan site evidence --out evidence-2026-07`

- `fedscan site evidence --out evidence --examination run/examination`
"""
_VERIFY_EPILOG = 'Example: `fedscan site verify-evidence evidence --signer "9f2c…"`'


def register(app: typer.Typer) -> None:
    """Add the commands to those of a site."""
    app.command(epilog=_EPILOG)(evidence)
    app.command("verify-evidence", epilog=_VERIFY_EPILOG)(verify_evidence)


def evidence(
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the document.")],
    examination: Annotated[
        Path | None,
        typer.Option(help="Folder of an examination of the generator, by `fedscan examine`."),
    ] = None,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write a signed document of what may leave this site, and what left, for your colleagues.

    Policy, budgets, decisions, the gate's log with hashes, threat model and limits, mapped to what
    SATRE and the DSPT ask for; as HTML, and as PDF where a Chromium is on the machine. It names no
    patient. Nothing of it leaves by itself.
    """
    from ..client.evidence.write import PDF, write_evidence
    from ..client.steward.home import SiteHome
    from ..evaluation.results import read_examination

    record = read_examination(examination).to_dict() if examination else None
    result = write_evidence(SiteHome.open(home), out, record)
    if as_json:
        print_json({"folder": out, "files": result.files, "signer": result.signer})
        return
    say("Evidence", f"{out}: {', '.join(result.files)}")
    if PDF not in result.files:
        output().print(
            Text("No PDF: there is no Chromium here that prints. The page prints well anywhere.")
        )
    say("Signed by", result.signer)
    output().print(
        Text(f"`fedscan site verify-evidence {out} --signer {result.signer}` checks it.")
    )


def verify_evidence(
    folder: Annotated[Path, typer.Argument(help="Folder of the document.", metavar="FOLDER")],
    signer: Annotated[
        str, typer.Option(help="The site's fingerprint, as its steward told it.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check that a document is what a site signed; needs no site here."""
    from ..client.evidence.write import verify_evidence as check

    content = check(folder, signer)
    facts = content["facts"]
    if as_json:
        print_json({**content, "signer_checked": bool(signer)})
        return
    say("Site", facts["site"])
    say("Collected", facts["time"])
    say("Files", f"{', '.join(content['files'])}: as they were signed")
    say("Signed by", content["signer"])
    if not signer:
        output().print(Text("Compare that with what the steward tells you, or give --signer."))
