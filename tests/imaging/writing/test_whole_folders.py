"""Generated files are in a folder all of them or none, and never those of two prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fedscan.errors import DataError, ModelError
from fedscan.imaging.writing import images as writing
from fedscan.imaging.writing.images import PromptImages, require_unused, write_images
from fedscan.imaging.writing.manifest import check_folder
from fedscan.imaging.writing.provenance import Provenance
from fedscan.imaging.writing.volumes import write_volume
from fedscan.model.description import Description

CT = Description(modality="CT", body_part="head", plane="axial")
KEY = Ed25519PrivateKey.generate()


def group(prompt: str = "a head", fill: float = 0.0) -> PromptImages:
    images = np.full((2, 16, 16), fill, np.float32)
    return PromptImages(prompt=prompt, caption="CT image", description=CT, images=images)


def write(folder: Path, *groups: PromptImages, form: str = "png") -> list[Path]:
    return write_images(folder, groups, form, seed=0, generator="ab" * 32, key=KEY)


@pytest.mark.parametrize("form", ["png", "nifti", "dicom"])
def test_what_is_written_is_where_it_is_said_to_be(tmp_path: Path, form: str) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    files = write(tmp_path, group(), form=form)
    assert all(file.is_file() and file.parent == tmp_path for file in files)
    checked = check_folder(tmp_path)
    assert set(checked.files) == {*(file.name for file in files), writing.SHEET}
    assert checked.unlisted == ("notes.txt",)


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_one, written = writing._write_one, []

    def full(*arguments: object) -> Path:
        if written:
            raise OSError(28, "No space left on device")
        written.append(write_one(*arguments))
        return written[0]

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(writing, "_write_one", full)
        with pytest.raises(OSError, match="No space left"):
            write(out, group("no finding"))
    assert written
    assert list(out.iterdir()) == []
    files = write(out, group("another prompt"))
    assert check_folder(out).unlisted == ()
    assert len(files) == 2


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "00-000.png").write_bytes(b"a part")
    write(tmp_path, group())
    assert check_folder(tmp_path).unlisted == ()
    assert not (tmp_path / ".unfinished").exists()


@pytest.mark.parametrize(
    "name", ["00-001.png", "001-0001.dcm", "02-000.nii.gz", "volume.nii.gz", "slice-001.png"]
)
def test_what_an_earlier_release_left_unfinished_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="already holds generated images"):
        require_unused(tmp_path)


@pytest.mark.parametrize("form", ["png", "nifti", "dicom"])
def test_images_that_are_not_finite_are_neither_written_nor_signed(
    tmp_path: Path, form: str
) -> None:
    with pytest.raises(ModelError, match="512 of 512 values are not finite"):
        write(tmp_path / "out", group(), group(fill=np.nan), form=form)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["png", "nifti", "dicom"])
def test_so_are_volumes(tmp_path: Path, form: str) -> None:
    origin = Provenance(prompt="", caption="", seed=0, index=0, generator="ab" * 32)
    slices = np.zeros((3, 16, 16), np.float32)
    written = write_volume(tmp_path / "good", slices, form, CT, origin, slice_mm=3.0, key=KEY)
    assert written.exists()
    assert check_folder(tmp_path / "good").unlisted == ()
    slices[1, 2, 3] = np.inf
    with pytest.raises(ModelError, match="1 of 768 values are not finite"):
        write_volume(tmp_path / "bad", slices, form, CT, origin, slice_mm=3.0, key=KEY)
    assert not (tmp_path / "bad").exists()
