"""Files without a preamble, folders behind links, and headers that need no second look."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from fedscan.cli.main import app
from fedscan.imaging.dicom import pixels as pixels_module
from fedscan.imaging.dicom.files.remembered import RememberedHeaders
from fedscan.imaging.dicom.folder import list_files
from fedscan.imaging.dicom.index import index_files, index_folder
from fedscan.imaging.dicom.pixels import read_frames
from fedscan.imaging.dicom.set_aside import Reason
from fedscan.imaging.settings import DataSettings
from fedscan.model.words.tables import few_words
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from typer.testing import CliRunner

PIXELS = np.random.default_rng(0).integers(0, 900, (16, 16)).astype(np.int16)
SETTINGS = DataSettings()


def bare(path: Path, ds: Dataset, syntax: UID, *, meta: bool) -> None:
    """Write a data set without preamble, with or without file meta information."""
    encoding = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
    if not meta:
        ds.save_as(path, enforce_file_format=False, **encoding)
        return
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = syntax
    whole = io.BytesIO()
    ds.save_as(whole, enforce_file_format=True)
    path.write_bytes(whole.getvalue()[132:])


@pytest.mark.parametrize("meta", [False, True])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_a_file_without_preamble_is_read(tmp_path, make_image, monkeypatch, syntax, large, meta):
    if large:
        monkeypatch.setattr(pixels_module, "_READ_WHOLE_BYTES", 0)
    ds = make_image(PIXELS)
    if not syntax.is_little_endian:
        ds.PixelData = PIXELS.astype(">i2").tobytes()
    bare(tmp_path / "a.IMA", ds, syntax, meta=meta)
    index = index_folder(tmp_path, SETTINGS)
    assert not index.set_aside
    (image,) = read_frames(tmp_path / "a.IMA", [0], "physical")
    np.testing.assert_array_equal(image, PIXELS)


@given(st.binary(max_size=400))
def test_other_files_are_not_taken_for_dicom(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("folder") / "a"
    path.write_bytes(content)
    (reason,) = index_folder(path.parent, SETTINGS).set_aside
    assert reason in (Reason.NOT_DICOM, Reason.BROKEN, Reason.NO_PIXELS)


@pytest.mark.parametrize("text", [b"\x08\x00 and more words" * 40, b"ISO_IR 100 " * 90])
def test_text_is_not_taken_for_dicom(tmp_path, text):
    (tmp_path / "a.txt").write_bytes(text)
    assert index_folder(tmp_path, SETTINGS).set_aside == {Reason.NOT_DICOM: 1}


def test_linked_folders_are_read_once(tmp_path, write_image):
    write_image(tmp_path / "archive" / "a", PIXELS)
    write_image(tmp_path / "archive" / "deep" / "b", PIXELS, ImagePositionPatient=[0, 0, 5])
    site = tmp_path / "site"
    site.mkdir()
    os.symlink(tmp_path / "archive", site / "one")
    os.symlink(tmp_path / "archive", site / "two")
    os.symlink(site, tmp_path / "archive" / "deep" / "round")
    assert [entry.path for entry in list_files(site)] == ["one/a", "one/deep/b"]
    index = index_folder(site, SETTINGS)
    assert len(index.patients) == 1
    assert not index.set_aside


def test_a_link_to_a_folder_that_lies_here_changes_nothing(tmp_path, write_image):
    write_image(tmp_path / "z" / "a", PIXELS)
    os.symlink(tmp_path / "z", tmp_path / "link")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    assert [entry.path for entry in list_files(tmp_path)] == ["loop", "z/a"]
    assert index_folder(tmp_path, SETTINGS).set_aside == {Reason.UNREADABLE: 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may look into every folder")
def test_a_folder_that_may_not_be_read_is_counted(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert index_folder(tmp_path, SETTINGS).set_aside == {Reason.UNREADABLE: 1}


def hospital(folder: Path, write_volume) -> None:
    for number in range(3):
        write_volume(
            folder / str(number),
            np.zeros((4, 16, 16), np.int16),
            PatientID=f"Zuckerkandl{number}",
            SeriesInstanceUID=f"1.{number}",
            StudyInstanceUID=f"1.2.{number}",
        )
    (folder / "notes.txt").write_text("nothing")


def test_a_second_look_reads_only_what_has_changed(
    tmp_path, write_volume, write_image, monkeypatch
):
    from fedscan.imaging.dicom import index as index_module

    scans, cache = tmp_path / "scans", tmp_path / "cache"
    hospital(scans, write_volume)
    first = index_folder(scans, SETTINGS, cache=cache)
    read: list[str] = []
    original = index_module.read_header

    def noted(path, settings, words):
        read.append(path.name)
        return original(path, settings, words)

    monkeypatch.setattr(index_module, "read_header", noted)
    assert index_folder(scans, SETTINGS, cache=cache) == first
    assert read == []
    write_image(scans / "new", PIXELS, PatientID="another")
    (scans / "0" / "000").unlink()
    changed = index_folder(scans, SETTINGS, cache=cache)
    assert read == ["new"]
    assert changed == index_folder(scans, SETTINGS)
    read.clear()
    index_folder(scans, DataSettings(burned_in="refuse_unstated"), cache=cache)
    assert len(read) == len(list_files(scans)), "under other settings nothing is remembered"


def test_the_command_remembers_where_it_is_told_to(tmp_path, write_volume):
    hospital(tmp_path / "scans", write_volume)
    words = ["index", str(tmp_path / "scans"), "--cache", str(tmp_path / "cache"), "--json"]
    first, second = (CliRunner().invoke(app, words) for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output
    assert json.loads(first.output)["slices"] == 12
    assert first.output == second.output
    assert {path.stat().st_mode & 0o77 for path in (tmp_path / "cache").glob("*.key")} == {0}


def test_what_is_remembered_names_nobody_and_may_be_lost(tmp_path, write_volume):
    scans, cache = tmp_path / "scans", tmp_path / "cache"
    hospital(scans, write_volume)
    files = list_files(scans)
    key = bytes(range(32))

    def look(key: bytes):
        remembered = RememberedHeaders(cache, SETTINGS, few_words(), key)
        return index_files(scans, files, SETTINGS, memory=remembered)

    first = look(key)
    (stored,) = cache.iterdir()
    content = stored.read_bytes()
    assert b"zuckerkandl" not in content.lower()
    assert look(bytes(32)) == first  # another key: read anew
    for damaged in (b"", content[:50], b"\0" * 500):
        stored.write_bytes(damaged)
        assert look(key) == first
