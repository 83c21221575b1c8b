"""``fedscan coordinator verify``: is this generator the one that a study made?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..common.counted import counted
from .console import say
from .json_output import print_json
from .options import JsonOption


def verify_record(
    record: Annotated[Path, typer.Argument(help="The study's record.json.", metavar="RECORD")],
    key: Annotated[Path, typer.Option(help="The coordinator's records/record.pub.")],
    generator: Annotated[
        Path | None, typer.Option(help="Folder of the generator that came with it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a study's signed record, and that a generator is the one that it speaks of.

    Every file of the generator's folder counts: weights, model card, scheduler, code.
    """
    from pydantic import TypeAdapter

    from ..federation.about import AboutSettings
    from ..server.coordinator.record import covers_every_file
    from ..server.coordinator.record import verify_record as check_record

    content = check_record(record.read_bytes(), key.read_text(encoding="utf-8"), generator)
    if as_json:
        print_json({"record": content, "generator_checked": generator is not None})
        return
    say("Study", content["study"])
    about = TypeAdapter(AboutSettings).validate_python(content.get("about", {}))
    for heading, text in about.facts().items():
        if text:
            say(heading, text)
    say("Sites", ", ".join(content["contributors"]))
    if promise := content.get("privacy"):
        say("Privacy", _promise(promise))
    if not generator:
        say("Generator", "not looked at")
    elif covers_every_file(content):
        say("Generator", f"the record's own, all {len(content['files'])} files")
    else:
        say("Generator", "the record's own weights; a record of this age names no other files")


def _promise(promise: Mapping[str, Any]) -> str:
    text = f"epsilon {promise['epsilon']:g} at delta {promise['delta']:g} for each patient"
    if "collusion_epsilon" in promise:
        text += (
            f", against the coordinator with {counted(promise['colluding_sites'], 'other site')} "
            f"at most; epsilon {promise['collusion_epsilon']:g} if all other sites work with it"
        )
    return text
