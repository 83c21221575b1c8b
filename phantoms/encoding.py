"""Encode DICOM elements once and reuse their bytes.

A series' files share all but a few elements, and a segmentation's frames all but a few
bytes. pydicom encodes what is shared; what differs is a string or two, encoded here. That
writes a file several times faster than encoding it as a whole. Explicit VR little endian
throughout (PS3.5, 7.1.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

_IMPLEMENTATION_UID = generate_uid(entropy_srcs=["fedscan", "phantoms"])
_SOP_INSTANCE_UID, _META_SOP_INSTANCE_UID = 0x00080018, 0x00020003
_META_GROUP_LENGTH = 0x00020000
_ITEM = b"\xfe\xff\x00\xe0"

#: Encoded elements by tag.
Elements = dict[int, bytes]


def encode(dataset: Dataset) -> Elements:
    """Encode a dataset's elements."""
    elements = {}
    for element in dataset:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element, ["utf8"])
        elements[int(element.tag)] = buffer.getvalue()
    return elements


def join(*parts: Mapping[int, bytes]) -> bytes:
    """Put elements into the order of their tags; a later part replaces an earlier one's."""
    elements: Elements = {}
    for part in parts:
        elements.update(part)
    return b"".join(elements[tag] for tag in sorted(elements))


def encode_text(tag: int, vr: str, *values: str) -> Elements:
    """Encode one element of a short textual VR (not UT, UC, UR).

    Args:
        tag: Its tag.
        vr: Its value representation.
        values: Its values, ASCII.
    """
    text = "\\".join(values).encode("ascii")
    text += (b"\0" if vr == "UI" else b" ") * (len(text) % 2)
    return {tag: _head(tag) + struct.pack("<2sH", vr.encode(), len(text)) + text}


def encode_bytes(tag: int, vr: str, value: bytes) -> Elements:
    """Encode one element of a VR with a 32-bit length: OB, OW or, of encoded items, SQ."""
    value += b"\0" * (len(value) % 2)
    return {tag: _head(tag) + struct.pack("<2sHL", vr.encode(), 0, len(value)) + value}


def encode_sequence(tag: int, items: Iterable[bytes]) -> Elements:
    """Encode a sequence whose items are already encoded.

    Args:
        tag: Tag of the sequence.
        items: The elements of each item, in the order of their tags.
    """
    frames = (_ITEM + struct.pack("<L", len(item)) + item for item in items)
    return encode_bytes(tag, "SQ", b"".join(frames))


def _head(tag: int) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def write_file(path: Path, sop_class: str, sop_instance: str, *parts: Mapping[int, bytes]) -> None:
    """Write a DICOM file (PS3.10).

    Args:
        path: The file.
        sop_class: Its SOP class UID.
        sop_instance: Its SOP instance UID.
        parts: Its other elements.
    """
    meta = join(_shared_meta(sop_class), encode_text(_META_SOP_INSTANCE_UID, "UI", sop_instance))
    length = _head(_META_GROUP_LENGTH) + struct.pack("<2sHL", b"UL", 4, len(meta))
    content = join(*parts, encode_text(_SOP_INSTANCE_UID, "UI", sop_instance))
    path.write_bytes(b"\0" * 128 + b"DICM" + length + meta + content)


@lru_cache(maxsize=8)
def _shared_meta(sop_class: str) -> Elements:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = "FEDSCAN_PHANTOM"
    return encode(meta)
