"""What a folder of pictures with a table holds, in numbers, as of a folder of DICOM files."""

from __future__ import annotations

from collections import defaultdict

from ...common.progress import Progress, no_progress
from ...model.description import Description
from ...model.words.tables import shipped_words
from ..dicom.summary import IndexSummary, caption_counts, word_counts
from ..labels.fit import require_fitting
from ..labels.index_with_table import IndexRequest
from .pictures import LabelledPictures, holds_scans, own_table, picture_paths


def find_pictures(request: IndexRequest, all_show: str = "") -> LabelledPictures | None:
    """Open the pictures of a folder that holds no DICOM file, if there is a table for them.

    Args:
        request: The folder and its table; without one its ``metadata.csv`` or ``labels.csv``.
        all_show: What all pictures show where their rows do not say.

    Returns:
        The pictures; ``None`` where the folder is to be read as DICOM.

    Raises:
        ConfigurationError: If ``all_show`` cannot be read.
        DataError: If the folder does not exist, or the table cannot be used or is about no picture.
    """
    table = request.labels or own_table(request.folder)
    if table is None or not picture_paths(request.folder) or holds_scans(request.folder):
        return None
    pictures = LabelledPictures(
        request.folder,
        table,
        request.words or shipped_words(),
        request.settings.image_size,
        by=request.labels_by,
        all_show=all_show,
    )
    require_fitting(pictures.fit)
    return pictures


def summarise_pictures(
    pictures: LabelledPictures, *, progress: Progress = no_progress
) -> IndexSummary:
    """Count patients and pictures by what their table says; every picture is read once.

    Args:
        pictures: The folder and its table.
        progress: Told how many pictures are read.

    Returns:
        The counts. Pictures stand as slices, and there are no studies and series: a picture does
        not say of which it is.
    """
    by_patient: dict[str, list[Description]] = defaultdict(list)
    for number, picture in enumerate(pictures, start=1):
        by_patient[picture.patient].append(picture.example.description)
        progress("pictures", number, len(pictures))
    return IndexSummary(
        patients=len(by_patient),
        studies=0,
        series=0,
        slices=sum(map(len, by_patient.values())),
        captions=caption_counts(by_patient.values()),
        words=word_counts(by_patient.values()),
        set_aside=dict(pictures.left_out.most_common()),
        shared_studies=0,
        labels=pictures.fit,
    )
