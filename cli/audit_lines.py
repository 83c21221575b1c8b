"""``fedscan site log`` and ``coordinator log``: the newest of what happened, a line each."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..federation.pki.keys import fingerprint
from .console import output
from .json_output import print_json

if TYPE_CHECKING:
    from ..common.audit import AuditEntry

LastOption = Annotated[int, typer.Option("--last", min=0, help="How many lines to begin with.")]
FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")
]


def show_log(audit: Path, *, last: int, follow: bool, as_json: bool) -> None:
    """Print the newest lines of an audit log.

    Args:
        audit: The log's file.
        last: How many of its lines.
        follow: Whether to go on with those to come.
        as_json: Print one JSON document instead; of a log that is followed, which has no end, one
            for each line.

    Raises:
        AuditError: If a line was changed, or the log cannot be read.
    """
    from ..common.audit import AuditLog
    from ..common.audit.following import follow_entries, newest_entries

    log = AuditLog(audit)
    entries = newest_entries(log, max(1, last))
    end = entries[-1].sequence if entries else 0
    entries = entries[len(entries) - min(last, len(entries)) :]
    if as_json and not follow:
        print_json({"entries": [asdict(entry) for entry in entries]})
        return
    show = _show_json if as_json else _show
    for entry in entries:
        show(entry)
    if follow:
        for entry in follow_entries(log, end):
            show(entry)


def _show_json(entry: AuditEntry) -> None:
    typer.echo(json.dumps(asdict(entry), ensure_ascii=False))
    sys.stdout.flush()  # whoever reads the pipe waits for each line


def _show(entry: AuditEntry) -> None:
    facts = "  ".join(f"{key}={shortened(value)}" for key, value in entry.facts.items())
    output().print(Text(f"{entry.time[:19]}  {entry.event:<18} {facts}".rstrip()))


def shortened(value: Any) -> str:
    """Return a fact in few characters: a key by its fingerprint, a digest by its beginning."""
    text = str(value)
    if text.startswith("-----BEGIN"):
        text = fingerprint(text.encode())
    return text if len(text) <= 24 else f"{text[:21]}…"
