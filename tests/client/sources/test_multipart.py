"""One instance is read out of a multipart answer, however it is cut into pieces."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
import requests
from fedscan.client.sources import pacs
from hypothesis import given
from hypothesis import strategies as st

BOUNDARY = "a-boundary"
#: Bytes that look like parts of the frame around them.
_TRICKY = st.sampled_from([b"\r\n", b"--", b"\r\n\r\n", b"\r\n--a-bound", b"DICM", b"\x00"])
CONTENT = st.lists(st.one_of(st.binary(max_size=9), _TRICKY), max_size=20).map(b"".join)


def answer(body: bytes, kind: str) -> requests.Response:
    response = requests.Response()
    response.raw = io.BytesIO(body)
    response.headers["Content-Type"] = kind
    return response


def read(body: bytes, piece: int, kind: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacs, "_CHUNK", piece)
        file = Path(folder) / "instance"
        pacs._write_part(answer(body, kind), file)
        return file.read_bytes()


def framed(content: bytes, *, header: bytes, preamble: bytes, end: bytes) -> bytes:
    mark = b"--" + BOUNDARY.encode()
    return preamble + mark + b"\r\n" + header + b"\r\n" + content + b"\r\n" + mark + end


@given(
    content=CONTENT,
    piece=st.integers(1, 40),
    header=st.sampled_from([b"", b"Content-Type: application/dicom\r\n", b"A: b\r\nC: d\r\n"]),
    preamble=st.sampled_from([b"", b"\r\n"]),
    end=st.sampled_from([b"--", b"--\r\n"]),
    quoted=st.booleans(),
)
def test_the_content_comes_out_as_it_went_in(content, piece, header, preamble, end, quoted):
    name = f'"{BOUNDARY}"' if quoted else BOUNDARY
    kind = f'multipart/related; type="application/dicom"; boundary={name}'
    body = framed(content, header=header, preamble=preamble, end=end)
    assert read(body, piece, kind) == content


@given(content=CONTENT, piece=st.integers(1, 40), cut=st.integers(0, 200))
def test_an_answer_that_is_cut_is_never_taken_for_whole(content, piece, cut):
    kind = f"multipart/related; boundary={BOUNDARY}"
    body = framed(content, header=b"", preamble=b"", end=b"--")
    # The last mark is what says that the part has ended.
    short = body[: max(0, len(body) - 3 - cut)]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        read(short, piece, kind)


@given(content=CONTENT, piece=st.integers(1, 40))
def test_an_answer_without_parts_is_the_instance(content, piece):
    assert read(content, piece, "application/dicom") == content
