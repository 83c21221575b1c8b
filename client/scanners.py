"""Which scanner made which images, coded: to compare scanners where the images are.

Nothing of a header is copied. A scanner is named by modality, field strength and a number of its
own at the site; the numbers follow salted digests of maker, model and serial number, so they say
nothing of them. Training does not see the codes, and nothing sends them anywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_partial

from .codes import MODALITY
from .fields import first_number, first_text
from .files import list_files
from .identity import DatasetIdentity
from .quiet import quiet_pydicom

_READ = (
    "DeviceSerialNumber", "MagneticFieldStrength", "Manufacturer", "ManufacturerModelName",
    "Modality", "PatientID",
)  # fmt: skip
_TAGS = [tag for keyword in _READ if (tag := tag_for_keyword(keyword)) is not None]
#: The last of these in the order of a file (DeviceSerialNumber): nothing behind it is parsed.
_LAST = 0x00181000
#: Field strengths in tesla that are told apart; others are rounded to the nearest.
_FIELDS = (0.5, 1.0, 1.5, 3.0, 7.0)


def patient_scanners(folder: Path, identity: DatasetIdentity) -> dict[tuple[str, str], str]:
    """Read which scanner each patient's images of each modality come from.

    Args:
        folder: The site's DICOM files.
        identity: Makes patients' keys, and the digests that scanners are numbered by.

    Returns:
        The coded scanner, such as ``"MR 1.5 T, no. 1"``, by patient key and modality (CT, MR,
        X-ray or ultrasound). Patients with several scanners of a modality are left out.
    """
    found: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    with quiet_pydicom():
        for entry in list_files(folder):
            header = _header(folder / entry.path)
            modality = MODALITY.get(first_text(header, "Modality").upper(), "") if header else ""
            patient = first_text(header, "PatientID").casefold() if header else ""
            if header is not None and modality and patient:
                kind, device = _kind(header, modality), _device(header, modality)
                # Keyed like patients: whoever sees the order cannot try makers and numbers.
                code = identity.patient_key(f"scanner {device}") if device else ""
                found[identity.patient_key(patient), modality].add((kind, code))
    names = _names({scanner for scanners in found.values() for scanner in scanners})
    return {
        place: names[next(iter(scanners))]
        for place, scanners in found.items()
        if len(scanners) == 1
    }


def modality_of(described: str) -> str:
    """Return the modality that a description's word belongs to: weightings of MR are MR."""
    return "MR" if described.endswith("MR") else described


def _header(path: Path) -> Dataset | None:
    try:
        with path.open("rb") as file:
            return read_partial(
                file, stop_when=lambda tag, _vr, _length: tag > _LAST, specific_tags=_TAGS
            )
    except Exception:  # whatever pydicom raises on a damaged file or one that is no DICOM
        return None


def _kind(header: Dataset, modality: str) -> str:
    field = first_number(header, "MagneticFieldStrength")
    if modality != "MR" or field is None:
        return modality
    return f"MR {min(_FIELDS, key=lambda known: abs(known - field)):g} T"


def _device(header: Dataset, modality: str) -> str:
    fields = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")
    known = [first_text(header, field).casefold() for field in fields]
    return "|".join([modality, *known]) if any(known) else ""


def _names(scanners: set[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """Number the devices of each kind; unknown devices have no number."""
    devices: defaultdict[str, list[str]] = defaultdict(list)
    for kind, code in sorted(scanners):
        if code:
            devices[kind].append(code)
    return {
        (kind, code): f"{kind}, no. {devices[kind].index(code) + 1}" if code else kind
        for kind, code in scanners
    }
