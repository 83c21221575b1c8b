"""What is asked of a PACS, and how: checked before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydicom.datadict import tag_for_keyword

from ...errors import ConfigurationError

_AE_TITLE = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")


@dataclass(frozen=True, kw_only=True)
class DicomwebSource:
    """A DICOMweb service (PS3.18) and what of it is mirrored.

    Attributes:
        url: Root of the service, such as ``https://pacs.example.org/dicom-web``.
        query: What studies must match, by DICOM keyword (``StudyDate``: ``20200101-``).
        modalities: Modalities of the series that are mirrored; all if empty.
        authority: File with the certificate authority of the service; the system's if ``None``.
        credentials: File with a bearer token, or with ``user:password``, on one line.
        timeout_s: Seconds that the service may stay silent.
    """

    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    modalities: tuple[str, ...] = ()
    authority: Path | None = None
    credentials: Path | None = field(default=None, repr=False)
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigurationError(
                "The address of the DICOMweb service is not of the form http(s)://HOST/PATH.",
                hint="Give the root of its QIDO-RS and WADO-RS, with credentials in a file only.",
            )
        for keyword in self.query:
            if tag_for_keyword(keyword) is None:
                raise ConfigurationError(
                    f"{keyword!r} is not a DICOM keyword.",
                    hint="For example StudyDate, ModalitiesInStudy, StudyDescription.",
                )

    @property
    def host(self) -> str:
        """Host name of the service."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """TCP port of the service."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def is_readable_on_the_way(self) -> bool:
        """Whether scans and credentials travel unencrypted to another machine."""
        return self.url.startswith("http:") and not is_loopback(self.host)


@dataclass(frozen=True, kw_only=True)
class StoreSource:
    """A C-STORE receiver (PS3.4, annex B): who may send to it, and where it listens.

    Attributes:
        title: The receiver's own AE title; whoever calls another one is refused.
        senders: AE titles that may send.
        host: Address to listen at.
        port: TCP port to listen at.
    """

    title: str
    senders: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 11112

    def __post_init__(self) -> None:
        for title in (self.title, *self.senders):
            if not _AE_TITLE.fullmatch(title):
                raise ConfigurationError(
                    f"{title!r} is not an AE title.",
                    hint="It has up to 16 printable characters and no backslash.",
                )
        if not self.senders:
            raise ConfigurationError(
                "The C-STORE receiver accepts nobody.", hint="Name the AE titles that may send."
            )
        if not 0 <= self.port < 65536:
            raise ConfigurationError(f"{self.port} is not a TCP port.", hint="Often it is 11112.")

    @classmethod
    def from_address(cls, address: str, senders: tuple[str, ...]) -> StoreSource:
        """Read ``TITLE@HOST:PORT``, ``TITLE@PORT`` or ``TITLE``.

        Raises:
            ConfigurationError: If it is of another form.
        """
        title, _, place = address.partition("@")
        host, _, port = place.rpartition(":")
        if place and not port.isdecimal():
            raise ConfigurationError(
                f"{address!r} is not of the form TITLE@HOST:PORT.",
                hint="For example FEDSCAN@127.0.0.1:11112.",
            )
        return cls(
            title=title,
            senders=senders,
            host=host.strip("[]") or cls.host,
            port=int(port or cls.port),
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nothing outside can reach or read it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
