"""One folder of public images: what it holds, whose it is, and how often it is drawn from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import ConfigurationError, DataError
from ...imaging.dicom.folder import digest_of, list_files
from ...imaging.examples.pictures import (
    LabelledPictures,
    holds_scans,
    own_table,
    picture_paths,
)
from ...imaging.labels.fit import require_fitting
from ...imaging.labels.index_with_table import IndexRequest, index_with_table
from ...imaging.labels.source import LabelReport
from ...imaging.labels.table import table_content
from ...imaging.settings import DataSettings
from ...model.words.vocabulary import Vocabulary
from .credits import CREDITS_FILE, Credit, read_credits
from .reading import OpenSource, PublicPictures, PublicScans


@dataclass(frozen=True, kw_only=True)
class PublicSource:
    """A folder of public images: DICOM files, or pictures with a table.

    Attributes:
        folder: Any nesting; ``sources.csv`` in it says whose the images are.
        weight: How often it is drawn from, against the others and the phantoms.
        labels: Table that is used if a row of it is about an image of the folder; else, and if
            ``None``, the folder's own ``metadata.csv`` or ``labels.csv``.
        labels_by: What rows of ``labels`` (of the folder's own table, if that is ``None``) are
            matched by; the most exact name that it has, if empty.
        all_show: What all pictures show where their rows do not say, as ``"chest X-ray"``.
    """

    folder: Path
    weight: float = 1.0
    labels: Path | None = None
    labels_by: str = ""
    all_show: str = ""

    @classmethod
    def parse(cls, text: str) -> PublicSource:
        """Read ``FOLDER`` or ``FOLDER=WEIGHT``.

        Raises:
            ConfigurationError: If the weight is no number above zero.

        >>> PublicSource.parse("films=2").weight
        2.0
        """
        folder, equals, number = text.rpartition("=")
        if not equals:
            return cls(folder=Path(text))
        try:
            weight = float(number)
        except ValueError:
            weight = 0.0
        if not 0.0 < weight < 1e6:
            raise ConfigurationError(
                f"The weight of {folder} is {number!r}.",
                hint="Write FOLDER=WEIGHT with a number above 0, such as films=2.",
            )
        return cls(folder=Path(folder), weight=weight)

    def credits(self) -> tuple[Credit, ...]:
        """Whose the images are; see :func:`read_credits`."""
        return read_credits(self.folder)

    def digest(self) -> str:
        """SHA-256 over names, sizes and times of the folder's files and over the tables.

        Raises:
            DataError: If the folder does not exist or a table cannot be read.
        """
        digest = hashlib.sha256(digest_of(list_files(self.folder)).encode())
        for path in (own_table(self.folder), self.folder / CREDITS_FILE):
            digest.update(path.read_bytes() if path is not None and path.is_file() else b"")
        # Without these the digest is that of trainings that were begun before there were any.
        if self.labels is not None:
            digest.update(b"\0labels\0" + table_content(self.labels))
        if self.labels_by or self.all_show:
            digest.update(f"\0{self.labels_by}\0{self.all_show}".encode())
        return digest.hexdigest()

    def facts(self) -> dict[str, Any]:
        """What decides about the images, as JSON."""
        return {"folder": self.folder.name, "weight": self.weight, "digest": self.digest()}

    def open(
        self, vocabulary: Vocabulary, image_size: int, *, evens_out: bool = False
    ) -> OpenSource:
        """Read tables and headers, and no pixel yet.

        Args:
            vocabulary: The words of captions.
            image_size: Side of the images, pixels.
            evens_out: Whether pictures lose, each in its turn, what collections have and hospitals
                have not: black margins, and films known only as frontal. For training, not for
                what is measured with.

        Returns:
            The folder, with the table that is used.

        Raises:
            DataError: If the folder holds pictures and DICOM files, or pictures without a table
                about them, or its own table is about no image there.
        """
        has_pictures = bool(picture_paths(self.folder))
        if has_pictures and holds_scans(self.folder):
            raise DataError(
                f"{self.folder} holds pictures and DICOM files.",
                hint="Put them in folders of their own, and give each with --data.",
            )
        read = partial(self._pictures, evens_out) if has_pictures else self._scans
        requested_fit: LabelReport | None = None
        if self.labels is not None:
            images = read(self.labels, self.labels_by, vocabulary, image_size)
            requested_fit = images.fit
            if requested_fit is not None and requested_fit.matched:
                return OpenSource(images=images, requested_fit=requested_fit)
        own, by = own_table(self.folder), self.labels_by if self.labels is None else ""
        if own is None and has_pictures:
            require_fitting(requested_fit)
            raise DataError(
                f"{self.folder} holds pictures and no table that says what they show.",
                hint="Put metadata.csv beside them with the columns image, modality, "
                "body_part and finding, or name a table with --labels.",
            )
        images = read(own, by, vocabulary, image_size)
        require_fitting(images.fit)
        return OpenSource(images=images, requested_fit=requested_fit)

    def _pictures(
        self,
        evens_out: bool,
        table: Path | None,
        by: str,
        vocabulary: Vocabulary,
        image_size: int,
    ) -> PublicPictures:
        assert table is not None  # pictures without one are refused before
        pictures = LabelledPictures(
            self.folder,
            table,
            vocabulary,
            image_size,
            by=by,
            all_show=self.all_show,
            evens_out=evens_out,
        )
        return PublicPictures(pictures)

    def _scans(
        self, table: Path | None, by: str, vocabulary: Vocabulary, image_size: int
    ) -> PublicScans:
        settings = DataSettings(image_size=image_size)
        request = IndexRequest(
            folder=self.folder, settings=settings, labels=table, labels_by=by, words=vocabulary
        )
        return PublicScans(self.folder, index_with_table(request, must_fit=False), settings)
