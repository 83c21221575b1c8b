"""Indexing a folder beside its table of labels, which must be about some image of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...common.progress import Progress, no_progress
from ...model.words.tables import shipped_words
from ...model.words.vocabulary import Vocabulary
from ..dicom.index import SiteIndex, index_folder
from ..settings import DataSettings
from .fit import require_fitting
from .table import read_table


@dataclass(frozen=True, kw_only=True)
class IndexRequest:
    """A folder, what of it is accepted, and what is known of it beside the headers.

    Attributes:
        folder: One site's folder of DICOM files, any nesting.
        settings: What to accept.
        labels: Table that tells the images' findings, splits and reports; none if ``None``.
        labels_by: What its rows are matched by; the most exact name that it has, if empty.
        words: Words that headers and the table may select; those that ship if ``None``.
        cache: Folder that remembers headers, encrypted, for the next run; none if ``None``.
    """

    folder: Path
    settings: DataSettings
    labels: Path | None = None
    labels_by: str = ""
    words: Vocabulary | None = None
    cache: Path | None = None


def index_with_table(
    request: IndexRequest, *, must_fit: bool = True, progress: Progress = no_progress
) -> SiteIndex:
    """Index a folder by its headers and its table.

    Args:
        request: What to index.
        must_fit: Whether a table is refused that is about no image there.
        progress: Told how many files are read.

    Raises:
        DataError: If the folder does not exist, the table cannot be read, or no row of it is
            about an image there and it must be.
    """
    table = None
    if request.labels is not None:
        table = read_table(request.labels, request.words or shipped_words(), request.labels_by)
    index = index_folder(
        request.folder,
        request.settings,
        labels=table,
        cache=request.cache,
        words=request.words,
        progress=progress,
    )
    if must_fit:
        require_fitting(index.labels)
    return index
