"""Keep the DICOM libraries silent: their warnings quote header values, queries and UIDs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.config import disable_value_validation

_LOGGERS = (
    "pydicom", "pylibjpeg", "openjpeg", "libjpeg", "rle",
    "dicomweb_client", "pynetdicom", "urllib3",
)  # fmt: skip


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence everything pydicom would say about a file while reading it.

    A warning such as "invalid value for VR UI: 'DOE^JANE'" would put a patient's name into
    a log, and a site's log may be shipped elsewhere. What is wrong with a file is counted
    by reason instead.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
