"""Which scanner made which images, coded: to compare scanners where the images are.

Nothing of a header is copied. A scanner is named by modality, field strength and a number of its
own at the site; the numbers follow salted digests of maker, model and serial number, so they say
nothing of them. Training does not see the codes, and nothing sends them anywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ...imaging.dicom.index import SiteIndex
from .identity import DatasetIdentity


def patient_scanners(index: SiteIndex, identity: DatasetIdentity) -> dict[tuple[str, str], str]:
    """Tell which scanner each patient's images of each modality come from.

    Args:
        index: The site's DICOM files.
        identity: Makes patients' keys, and the digests that scanners are numbered by.

    Returns:
        The coded scanner, such as ``"MR 1.5 T, no. 1"``, by patient key and modality (CT, MR,
        X-ray or ultrasound). Patients with several scanners of a modality are left out.
    """
    by_place: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for patient in index.patients:
        key = identity.patient_key(patient.patient_id)
        for scanner in patient.scanners:
            # Keyed like patients: whoever sees the order cannot try makers and numbers.
            code = identity.patient_key(f"scanner {scanner.device}") if scanner.device else ""
            by_place[key, scanner.modality].add((scanner.kind, code))
    names = _names({scanner for scanners in by_place.values() for scanner in scanners})
    return {
        place: names[next(iter(scanners))]
        for place, scanners in by_place.items()
        if len(scanners) == 1
    }


def modality_of(kind: str) -> str:
    """Return the modality that a description's word belongs to: weightings of MR are MR."""
    return "MR" if kind.endswith("MR") else kind


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
