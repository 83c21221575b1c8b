"""What a source beside the headers says of a patient's files."""

from __future__ import annotations

from collections.abc import Iterable

from ...labels.source import ImageKeys, ImageLabel, Labelling
from ..folder import FileEntry
from ..header import FileHeader


def file_labels(
    files: Iterable[tuple[FileEntry, FileHeader]], labelling: Labelling
) -> dict[str, ImageLabel]:
    """Ask a source about images; those that it says nothing of are left out.

    Args:
        files: Files of one patient; segmentations among them are no images.
        labelling: The source.

    Returns:
        Labels by path.
    """
    return {
        entry.path: label
        for entry, header in files
        if not header.is_segmentation
        and (label := labelling.label(_names(entry, header))) is not None
    }


def _names(entry: FileEntry, header: FileHeader) -> ImageKeys:
    return ImageKeys(
        path=entry.path,
        image=header.sop_uid,
        series=header.series_uid,
        study=header.study_uid,
        accession=header.accession,
        patient=header.patient_id,
    )
