"""Encode DICOM elements once and reuse their bytes.

A series' files share all but a few elements, and a segmentation's frames all but a few
bytes. pydicom encodes each element; only putting the bytes together is done here, which
makes writing a file several times faster than encoding it as a whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

_IMPLEMENTATION_UID = generate_uid(entropy_srcs=["fedscan", "phantoms"])
_ITEM = b"\xfe\xff\x00\xe0"

#: Encoded elements by tag.
Elements = dict[int, bytes]


def encode(dataset: Dataset) -> Elements:
    """Encode a dataset's elements in explicit VR little endian."""
    encoded = {}
    for element in dataset:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element, ["utf8"])
        encoded[int(element.tag)] = buffer.getvalue()
    return encoded


def join(*parts: Mapping[int, bytes]) -> bytes:
    """Put elements into the order of their tags; a later part replaces an earlier one's."""
    merged: Elements = {}
    for part in parts:
        merged.update(part)
    return b"".join(merged[tag] for tag in sorted(merged))


def encode_sequence(tag: int, items: Iterable[bytes]) -> Elements:
    """Encode a sequence whose items are already encoded.

    Args:
        tag: Tag of the sequence.
        items: The elements of each item, in the order of their tags.
    """
    value = b"".join(_ITEM + struct.pack("<L", len(item)) + item for item in items)
    head = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"SQ", 0, len(value))
    return {tag: head + value}


def write_file(path: Path, sop_class: str, sop_instance: str, content: bytes) -> None:
    """Write a DICOM file (PS3.10).

    Args:
        path: The file.
        sop_class: Its SOP class UID.
        sop_instance: Its SOP instance UID.
        content: Its encoded data set.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = sop_instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = "FEDSCAN_PHANTOM"
    buffer = DicomBytesIO()
    buffer.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(buffer, meta)
    path.write_bytes(buffer.getvalue() + content)
