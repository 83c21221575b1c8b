"""Erasing a site's keys for a joint study: a mark goes first, after which nothing is begun."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from ....common.files import write_once
from ....federation.joint.pairs import secrets_file
from ....federation.joint.roster import Roster
from ....privacy.ledger.durable import erase_file
from .pairs import end_file, key_file


def erase_keys(folder: Path, draft: str, roster: Roster | None, study: str) -> bool:
    """Erase a study's private keys and the secrets of its pairs; done again, it goes on.

    Args:
        folder: Where private keys for studies lie.
        draft: Digest of the study without its roster, for which the keys were made.
        roster: The study's roster, if it has one that was made for it.
        study: Digest of the study.

    Returns:
        Whether there was anything of it.
    """
    files = [key_file(folder, draft)]
    if roster is not None and roster.study == draft:
        files.append(secrets_file(folder / "pairs", roster.digest))
    present = [path for path in files if path.exists()]
    mark = end_file(folder, draft)
    is_new = not mark.exists()
    if is_new:
        # Before all else: from now on nothing is begun, opened or made again.
        content = {"study": study, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_once(mark, json.dumps(content).encode())
    for path in present:
        erase_file(path)
    return is_new or bool(present)
