"""Taking patients out of every later round and study, and proving that nothing of them is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...errors import DataError
from ...imaging.dicom.files.patient import normal_identifier
from ...imaging.dicom.quiet import quiet_pydicom
from ..data.identity import FILE_NAME, DatasetIdentity
from ..data.opt_out import OptOutList
from ..data.remains import files_with, forget_headers, patients_in, remove_patients
from ..sources.mirror import Mirror
from .data_sets import DataSet, Registry
from .home import SiteHome

#: The event of the audit log that the list is compared with.
_EVENT = "opted-out"
_ONE_A_LINE = "Write one patient identifier on each line, as the scans' headers have it, in UTF-8."
#: What people are told beside the list.
CANNOT_UNDO = (
    "What has left already stays outside: noised updates and generators made of them, which the "
    "privacy promise covers, and which no list can call back. Spent budget stays spent. A round "
    "that is being trained now may end with an error, and is asked for anew. Scans in the "
    "hospital's own folders are not touched, only not read for training."
)
#: Shorter identifiers are in many files by chance.
_TELLING = 6


@dataclass(frozen=True, kw_only=True)
class OptOutResult:
    """What putting patients on the list did.

    Attributes:
        new_patients: Patients who are new on it.
        already: Patients who were on it.
        total: Everybody on it now.
        removed_files: Files of theirs that were removed: decoded images, latents, mirrored scans.
    """

    new_patients: int
    already: int
    total: int
    removed_files: int


@dataclass(frozen=True, kw_only=True)
class Remains:
    """What there is of patients who opted out.

    Attributes:
        patients: Everybody who was looked for.
        files: What of the site's home is or names something of theirs; nothing if all is gone.
        scans: Their files in folders of the hospital's own, by data set: fedscan only reads there,
            and reads them no more.
    """

    patients: int
    files: tuple[Path, ...]
    scans: dict[str, int]


def read_identifiers(path: Path) -> list[str]:
    """Read a file of patient identifiers; see :func:`identifiers_in`.

    Raises:
        DataError: If the file cannot be read or names nobody.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The list {path} cannot be read.", hint=_ONE_A_LINE) from error
    return identifiers_in(text, f"The list {path}")


def identifiers_in(text: str, what: str) -> list[str]:
    """Return patient identifiers, one a line; blank lines and those after ``#`` say nothing.

    Args:
        text: The lines.
        what: What they are, for the error.

    Raises:
        DataError: If they name nobody.
    """
    lines = (line.strip() for line in text.splitlines())
    identifiers = [line for line in lines if line and not line.startswith("#")]
    if not identifiers:
        raise DataError(f"{what} names nobody.", hint=_ONE_A_LINE)
    return list(dict.fromkeys(map(normal_identifier, identifiers)))


def add_opt_outs(home: SiteHome, identifiers: Sequence[str]) -> OptOutResult:
    """Put patients on the list, durably, and remove what is kept of them.

    Args:
        home: The site's home.
        identifiers: Patient identifiers as headers have them.

    Raises:
        DataError: If the list is damaged, or shorter than it was.
        AuditError: If the disk does not take it.
    """
    before = require_list(home)
    data_sets = Registry(home).data_sets()
    keys = {patient: _keys(home, data_sets, patient) for patient in identifiers}
    after = before.with_patients(keys, datetime.now(UTC).isoformat(timespec="seconds"))
    after.write(home.opt_outs)
    new_count = len(after.patients) - len(before.patients)
    home.log.append(_EVENT, added=new_count, total=len(after.patients))
    return OptOutResult(
        new_patients=new_count,
        already=len(identifiers) - new_count,
        total=len(after.patients),
        removed_files=remove_opted_out(home, after, mirrors=True),
    )


def require_list(home: SiteHome) -> OptOutList:
    """Read the list, and see that nobody has gone from it.

    Raises:
        DataError: If it is damaged, or shorter than the audit log says.
    """
    opt_outs = OptOutList.read(home.opt_outs)
    entries = home.log.entries() if home.audit.exists() else []
    once = max((int(one.facts["total"]) for one in entries if one.event == _EVENT), default=0)
    if len(opt_outs.patients) < once:
        raise DataError(
            f"The opt-out list {home.opt_outs} has {len(opt_outs.patients)} patients, and the "
            f"audit log says that {once} were put on it.",
            hint="Restore it from a backup: nothing is trained until everybody is on it again.",
        )
    return opt_outs


def remove_opted_out(home: SiteHome, opt_outs: OptOutList, *, mirrors: bool) -> int:
    """Remove what is kept of everybody on the list, and return how many files that were.

    Args:
        home: The site's home.
        opt_outs: The list.
        mirrors: Whether to look through mirrored scans, too: that reads all their headers.
    """
    count = 0
    for name, data_set in Registry(home).data_sets().items():
        state = home.state(name)
        if (state / FILE_NAME).is_file():
            identity = DatasetIdentity.load_or_create(state)
            if keys := opt_outs.keys_in(identity.name):
                count += remove_patients(state, keys)
                count += forget_headers(state, opt_outs.headers_folder)
        if mirrors and data_set.kind != "folder":
            with quiet_pydicom(), Mirror.open(Path(data_set.folder).parent) as mirror:
                count += mirror.remove_patients(opt_outs.has)
    return count


def remains(
    home: SiteHome, identifiers: Sequence[str] = (), *, report: Progress = no_progress
) -> Remains:
    """Look for everything that is left of patients who opted out; nothing is changed.

    Every file of the site's home is searched for the keys that stand for them, mirrored scans by
    their headers, and where identifiers are given, also for these.

    Args:
        home: The site's home.
        identifiers: Whom to look for; everybody on the list, if none is given.
        report: Told how many files of scans are read.

    Raises:
        DataError: If the list is damaged, or a patient is not on it.
    """
    opt_outs = require_list(home)
    missing = sum(not opt_outs.has(patient) for patient in identifiers)
    if missing:
        raise DataError(
            f"{missing} of {len(identifiers)} patients are not on the opt-out list.",
            hint="`fedscan site opt-out add FILE` puts them on it.",
        )
    data_sets = Registry(home).data_sets()
    words = {key for one in opt_outs.patients for key in one.keys.values()}
    if identifiers:
        words = {key for one in identifiers for key in _keys(home, data_sets, one).values()}
        words |= {one for one in identifiers if len(one) >= _TELLING}
    digests = {opt_outs.digest_of(patient) for patient in identifiers}
    files_left, scans = list(_left(home, data_sets, words)), {}
    for name, data_set in data_sets.items():
        # What is remembered of headers is encrypted: none may be older than the list.
        folders = (home.state(name) / "cache").glob("headers*")
        files_left += [path for path in folders if path.name != opt_outs.headers_folder]
        counts = {
            patient: files
            for patient, files in patients_in(Path(data_set.folder), report).items()
            if opt_outs.has(patient) and (not digests or opt_outs.digest_of(patient) in digests)
        }
        if data_set.kind == "folder":
            scans[name] = sum(counts.values())
        elif counts:
            files_left.append(Path(data_set.folder))
    return Remains(
        patients=len(identifiers) or len(opt_outs.patients), files=tuple(files_left), scans=scans
    )


def _left(home: SiteHome, data_sets: dict[str, DataSet], words: Collection[str]) -> list[Path]:
    mirrors = [Path(one.folder).parent for one in data_sets.values() if one.kind != "folder"]
    return [
        path
        for path in files_with(home.folder, words)
        if path != home.opt_outs and not any(path.is_relative_to(mirror) for mirror in mirrors)
    ]


def _keys(home: SiteHome, data_sets: Collection[str], patient: str) -> dict[str, str]:
    """Return a patient's key in each data set that has an identity, by that identity's name."""
    keys = {}
    for name in data_sets:
        if (home.state(name) / FILE_NAME).is_file():
            identity = DatasetIdentity.load_or_create(home.state(name))
            keys[identity.name] = identity.patient_key(patient)
    return keys
