"""What a site's stored examples are made from, where they lie, and which are known already."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from ...errors import DataError
from ...imaging.dicom.folder import digest_of, touches_of
from ...imaging.dicom.index import PatientScans
from ...imaging.labels.apply import labels_digest
from ...imaging.settings import DataSettings
from ...model.words.tables import vocabulary_to_toml
from ...model.words.vocabulary import Vocabulary
from .identity import DatasetIdentity
from .patient_file import PatientFile

#: Raised whenever the same scans would give other examples.
_FORMAT = "2"
#: The format whose digests name the scans in the payments of earlier releases.
PAID_FORMAT = "1"


def place_of_examples(
    settings: DataSettings, words: Vocabulary, cache_dir: Path, identity: DatasetIdentity
) -> tuple[str, Path]:
    """Return the digest of what decides about examples, and the folder that they are in."""
    decides = hashlib.sha256(settings_digest(settings, words).encode() + identity.salt).hexdigest()
    return decides, cache_dir / "examples" / decides[:16]


def stored_examples(
    scans: PatientScans,
    settings: DataSettings,
    words: Vocabulary,
    cache_dir: Path,
    identity: DatasetIdentity,
) -> int | None:
    """Return how many examples a patient's scans gave; ``None`` if they were not decoded yet."""
    _, root = place_of_examples(settings, words, cache_dir, identity)
    path = patient_path(root, identity.patient_key(scans.patient_id))
    patient_file = made_from(path, origin_of(scans, settings, words))
    return None if patient_file is None else len(patient_file)


def settings_digest(settings: DataSettings, words: Vocabulary, form: str = _FORMAT) -> str:
    """Digest of what decides about examples; the hold-out does not.

    Settings that came later count where they have another value than before, so that what an
    earlier release stored and paid for keeps its name.
    """
    fields = {k: v for k, v in asdict(settings).items() if k != "holdout_fraction"}
    for name, before in (("captions", "words"), ("synthetic", "refuse")):
        if fields[name] == before:
            del fields[name]
    if not words.is_few:
        fields["vocabulary"] = vocabulary_to_toml(words)
    return hashlib.sha256(json.dumps([form, fields], sort_keys=True).encode()).hexdigest()


def patient_path(root: Path, key: str) -> Path:
    """Return where a folder of examples has those of a patient."""
    return root / f"{key}.safetensors"


def origin_of(scans: PatientScans, settings: DataSettings, words: Vocabulary) -> dict[str, str]:
    """Return what names the scans and settings that a patient's file is made from."""
    label_digest = labels_digest(scans.labels, reports=settings.captions == "text")
    source = digest_of(scans.files, settings_digest(settings, words), *filter(None, [label_digest]))
    return {"source": source, "touches": touches_of(scans.files)}


def made_from(path: Path, origin: dict[str, str]) -> PatientFile | None:
    """Return a patient's file if it was made from these very scans."""
    try:
        patient_file = PatientFile.read(path)
    except DataError:
        return None  # none yet, or one that a crash cut short
    is_theirs = (patient_file.source, patient_file.touches) == (origin["source"], origin["touches"])
    return patient_file if is_theirs else None
