"""The connection to a DICOMweb service: searches, streamed retrieval, and errors in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ...errors import ConfigurationError, DataError
from ...federation.diagnosis.connection import explain
from .instance import Instance
from .settings import DicomwebSource

_CONNECT_TIMEOUT_S = 15.0
_PAGE = 500
_CHUNK = 1 << 20
#: Any transfer syntax, as stored (PS3.18, 8.7.3.5.2): nothing is converted at the PACS.
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
#: How often an instance is begun anew whose transfer broke off.
_ATTEMPTS = 3
_BUSY = (429, 502, 503, 504)

#: An entry of a search's answer: DICOM JSON (PS3.18, annex F).
PacsEntry = Mapping[str, Any]


class NotRetrievedError(DataError):
    """One instance cannot be had; the others may."""


class Pacs:
    """A DICOMweb service.

    Args:
        source: The service and how to reach it.
    """

    def __init__(self, source: DicomwebSource) -> None:
        self._source = source
        self._session = requests.Session()
        self._session.auth = _credentials(source.credentials)
        adapter = _Adapter(source.authority)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._timeout = (_CONNECT_TIMEOUT_S, source.timeout_s)
        self._client = DICOMwebClient(
            source.url.rstrip("/"),
            session=self._session,
            timeout=self._timeout,
            permissive_uid=True,
        )
        self._client.set_http_retry_params(retry=False)

    def __enter__(self) -> Pacs:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def studies(self, extra: Mapping[str, str] | None = None) -> Iterator[PacsEntry]:
        """Yield the studies that match the source's query (QIDO-RS, PS3.18 10.6)."""
        filters = {**self._source.query, **(extra or {})}
        yield from self._pages(
            lambda **page: self._client.search_for_studies(search_filters=filters, **page)
        )

    def series(self, study: str) -> Iterator[PacsEntry]:
        """Yield the series of a study."""
        yield from self._pages(lambda **page: self._client.search_for_series(study, **page))

    def instances(self, study: str, series: str) -> Iterator[PacsEntry]:
        """Yield the instances of a series."""
        yield from self._pages(
            lambda **page: self._client.search_for_instances(study, series, **page)
        )

    def retrieve(self, instance: Instance, file: Path) -> None:
        """Stream one instance into a file, as the PACS stores it (WADO-RS, PS3.18 10.4).

        Raises:
            DataError: If the service cannot be used any more.
            NotRetrievedError: If it does not give this one.
        """
        url = (
            f"{self._source.url.rstrip('/')}/studies/{instance.study}/series/{instance.series}"
            f"/instances/{instance.uid}"
        )
        with self._errors(one=True):
            for attempt in range(_ATTEMPTS):
                try:
                    self._stream(url, file)
                    return
                except requests.exceptions.ChunkedEncodingError:
                    if attempt == _ATTEMPTS - 1:
                        raise

    def _stream(self, url: str, file: Path) -> None:
        with self._session.get(
            url, headers={"Accept": _ACCEPT}, stream=True, timeout=self._timeout
        ) as response:
            response.raise_for_status()
            _write_part(response, file)

    def _pages(self, search: Callable[..., list[PacsEntry]]) -> Iterator[PacsEntry]:
        """Yield all entries of a search, page by page.

        A service may give fewer than asked for, or know nothing of offsets and give the same
        ones again.
        """
        offset, first = 0, None
        while True:
            with self._errors():
                page = search(limit=_PAGE, offset=offset)
            if not isinstance(page, list) or not all(isinstance(e, Mapping) for e in page):
                raise self._not_dicomweb()
            if not page or page[0] == first:
                return
            first = first or page[0]
            yield from page
            offset += len(page)

    @contextmanager
    def _errors(self, *, one: bool = False) -> Iterator[None]:
        """Turn every failure into one sentence without any header value or address's query."""
        try:
            yield
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            raise self._refusal(status, one) from None
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.SSLError) as error:
            problem = explain(error, self._source.host, self._source.port)
            raise DataError(problem.message, hint=problem.hint) from None
        except requests.exceptions.ChunkedEncodingError:
            raise DataError(
                "The PACS broke off in the middle of an instance.",
                hint="Run it again: it goes on where it was.",
            ) from None
        except (requests.RequestException, ValueError):
            # Not JSON, or no redirection that can be followed.
            raise self._not_dicomweb() from None

    def _refusal(self, status: int, one: bool) -> DataError:
        where = f"{self._source.host}:{self._source.port}"
        if status in (401, 407):
            reason = (
                "does not accept the credentials" if self._session.auth else "asks for credentials"
            )
            return DataError(
                f"The PACS at {where} {reason} (status {status}).",
                hint="Give a file with `user:password` or a bearer token, and check that it is "
                "still valid.",
            )
        if status == 403:
            return DataError(
                f"The PACS at {where} does not allow this user to read (status 403).",
                hint="Ask its administrator for reading rights on QIDO-RS and WADO-RS.",
            )
        if one and status not in _BUSY:
            return NotRetrievedError("An instance was not given.")
        if status in (404, 405):
            return DataError(
                f"There is no DICOMweb service at {self._source.url} (status {status}).",
                hint="Give the root of QIDO-RS and WADO-RS; Orthanc's ends in /dicom-web.",
            )
        if status == 400:
            return DataError(
                f"The PACS at {where} refuses the search (status 400).",
                hint="It may not support a condition of the query, or the address is not the root "
                "of its DICOMweb service; Orthanc's ends in /dicom-web.",
            )
        return DataError(f"The PACS at {where} answers with status {status}.", hint="See its log.")

    def _not_dicomweb(self) -> DataError:
        return DataError(
            f"{self._source.url} does not answer as a DICOMweb service does.",
            hint="Give the root of QIDO-RS and WADO-RS; a login page or a proxy may be in the way.",
        )


class _Adapter(HTTPAdapter):
    """Trusts the given authority only, whatever the environment says; tries a busy PACS again."""

    def __init__(self, authority: Path | None) -> None:
        if authority is not None and not authority.is_file():
            raise ConfigurationError(
                f"The file of the PACS's certificate authority, {authority}, does not exist."
            )
        self._authority = None if authority is None else str(authority)
        super().__init__(
            max_retries=Retry(
                total=3,
                redirect=0,
                read=2,
                backoff_factor=0.5,
                status_forcelist=_BUSY,
                raise_on_status=False,
                respect_retry_after_header=False,
            )
        )

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        # Session.verify alone would lose against REQUESTS_CA_BUNDLE.
        if self._authority is not None:
            options["verify"] = self._authority
        return super().send(request, *args, **options)


@dataclass(frozen=True)
class _Bearer(requests.auth.AuthBase):
    """Sends a token with each request (RFC 6750)."""

    token: str

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Nobody(requests.auth.AuthBase):
    """Sends no credentials, also where a ``.netrc`` has some."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request

    def __bool__(self) -> bool:
        return False


def _credentials(path: Path | None) -> requests.auth.AuthBase:
    if path is None:
        return _Nobody()
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"The file with the credentials, {path}, cannot be read."
        ) from None
    if not text or "\n" in text:
        raise ConfigurationError(
            f"The file with the credentials, {path}, does not have one line.",
            hint="Write `user:password` or a bearer token into it.",
        )
    user, colon, password = text.partition(":")
    return requests.auth.HTTPBasicAuth(user, password) if colon else _Bearer(text)


def _write_part(response: requests.Response, file: Path) -> None:
    """Write the one part of a multipart answer (RFC 2046) to a file, a piece at a time."""
    header = Message()
    header["content-type"] = response.headers.get("Content-Type", "")
    pieces = response.iter_content(_CHUNK)
    with file.open("wb") as out:
        if header.get_content_maintype() != "multipart":
            # Some services send a single instance as it is, against the standard.
            for piece in pieces:
                out.write(piece)
            return
        if not (boundary := header.get_param("boundary")):
            raise ValueError("a multipart answer without a boundary")
        mark = b"\r\n--" + str(boundary).encode()
        buffer, end = b"\r\n", -1
        # Up to the end of the part's own header, which may have no line.
        while (begin := buffer.find(mark)) < 0 or (
            end := buffer.find(b"\r\n\r\n", begin + len(mark))
        ) < 0:
            buffer += _next(pieces)
        buffer = buffer[end + 4 :]
        while (end := buffer.find(mark)) < 0:
            # The mark may lie on both sides of a cut.
            keep = max(0, len(buffer) - len(mark))
            out.write(buffer[:keep])
            buffer = buffer[keep:] + _next(pieces)
        out.write(buffer[:end])


def _next(pieces: Iterator[bytes]) -> bytes:
    """Return the next piece; an answer that ends too early is not taken for whole."""
    for piece in pieces:
        return piece
    raise requests.exceptions.ChunkedEncodingError
