"""The keys that a site shares with the other sites of a study's roster."""

from __future__ import annotations

import json
from pathlib import Path

from ....errors import ProtocolError, StudyOverError
from ....federation.joint.keys import StudyKey
from ....federation.joint.pairs import PairSecrets
from ....federation.joint.roster import Roster
from ....federation.pki.keys import PrivateKey
from ...site import Site

#: Keys that may wait for an approval at once: whoever may ask could otherwise fill the disk.
_MOST_KEYS = 200


def study_key(folder: Path, study: str, site: str, identity: PrivateKey | None) -> StudyKey:
    """Return a site's keys for a study, made when they are first asked for.

    Args:
        folder: Where private keys for studies lie.
        study: Digest of the study without its roster.
        site: The site's name.
        identity: What signs the keys; ``None`` in a simulation.

    Raises:
        ProtocolError: If too many studies have asked.
        RosterError: If the file is damaged.
        StudyOverError: If the study is over, and its keys were erased.
    """
    _require_going_on(folder, study)
    path = key_file(folder, study)
    if path.exists():
        return StudyKey.read(path)
    if sum(1 for _ in folder.glob("*.key")) >= _MOST_KEYS:
        raise ProtocolError(
            f"There are keys for {_MOST_KEYS} studies already.",
            hint=f"Remove those of studies that are over from {folder}.",
        )
    return StudyKey.generate(study, site, identity).keep(path)


def own_pairs(site: Site, roster: Roster) -> PairSecrets:
    """Return a site's side of all pairs that it is in.

    Raises:
        RosterError: If the site has no keys for the study, or the roster has others for it.
        StudyOverError: If the study is over, and its keys were erased.
    """
    _require_going_on(site.study_keys, roster.study)
    key = StudyKey.read(key_file(site.study_keys, roster.study))
    return PairSecrets(key, roster, site.study_keys / "pairs")


def key_file(folder: Path, study: str) -> Path:
    """Return where a site's private keys for a study lie, by its digest without the roster."""
    return folder / f"{study}.key"


def end_file(folder: Path, study: str) -> Path:
    """Return the mark that a study is over here, by its digest without the roster."""
    return folder / f"{study}.over"


def when_erased(keys: Path, draft: str) -> str:
    """Return when a study's keys were erased, UTC; empty if they are still there.

    Args:
        keys: Folder of the private keys for studies.
        draft: Digest of the study without its roster.
    """
    if key_file(keys, draft).exists():
        return ""
    try:
        return str(json.loads(end_file(keys, draft).read_bytes())["time"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError):
        return "some time ago"  # that it is over, the mark says whatever is in it


def _require_going_on(folder: Path, study: str) -> None:
    if end_file(folder, study).exists():
        raise StudyOverError(
            "The study is over at this site, and its keys are erased.",
            hint="Nothing was run or spent. To train further is another study, with new keys and "
            "an approval of its own.",
        )
