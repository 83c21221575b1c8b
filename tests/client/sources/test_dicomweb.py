"""Mirroring from a real PACS: what is selected, what changed, and what a kill leaves behind."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.sources.dicomweb import mirror_dicomweb
from fedscan.client.sources.mirror import Mirror, MirrorReport
from fedscan.client.sources.settings import DicomwebSource
from fedscan.common.progress import no_progress
from fedscan.errors import DataError
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.summary import summarise
from fedscan.imaging.settings import DataSettings
from orthanc import Orthanc
from pydicom import dcmread

DATA = DataSettings(image_size=64, burned_in="refuse_marked")


def mirror(pacs: Orthanc, root: Path, **options: object) -> MirrorReport:
    return mirror_dicomweb(DicomwebSource(url=pacs.url, **options), root, no_progress)


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    images = root / "images"
    return {
        str(path.relative_to(images)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(images.rglob("*"))
        if path.is_file()
    }


def uids(folder: Path) -> set[str]:
    return {str(dcmread(path).SOPInstanceUID) for path in folder.rglob("*.dcm")}


def examples(folder: Path, cache: Path) -> list[tuple[bytes, str, float]]:
    dataset = SiteDataset.open(folder, DATA, cache)
    return sorted(
        (example.image.tobytes(), example.description.caption(), example.position)
        for key in dataset.patients
        for example in dataset.examples(key)
    )


def test_the_mirror_gives_the_same_examples_as_the_original_folder(pacs, phantoms, tmp_path):
    root = tmp_path / "mirror"
    report = mirror(pacs, root)
    total = len(list(phantoms.rglob("*.dcm")))
    assert (report.instances, report.fetched, report.removed, report.failed) == (total, total, 0, 0)
    assert uids(root / "images") == uids(phantoms)
    found = summarise(index_folder(root / "images", DATA))
    assert found == summarise(index_folder(phantoms, DATA))
    assert found.set_aside == {}
    assert examples(root / "images", tmp_path / "a") == examples(phantoms, tmp_path / "b")
    assert not list((root / "incoming").iterdir())


def test_only_what_changed_is_fetched_and_what_is_gone_is_removed(pacs, phantoms, tmp_path):
    root = tmp_path / "mirror"
    mirror(pacs, root)
    before = files(root)
    again = mirror(pacs, root)
    assert (again.fetched, again.removed) == (0, 0)
    assert files(root) == before

    gone = pacs.find("Study")[0]
    pacs.remove("studies", gone)
    after = mirror(pacs, root)
    assert after.fetched == 0
    assert after.removed == len(before) - after.instances > 0
    assert files(root).items() < before.items()
    assert all(any(folder.iterdir()) for folder in root.rglob("images/**/") if folder.is_dir())

    pacs.add(*phantoms.rglob("*.dcm"))
    assert mirror(pacs, root).fetched == after.removed
    assert {name: content for name, (_, content) in files(root).items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_a_study_given_to_another_patient_is_fetched_anew(pacs, tmp_path):
    root = tmp_path / "mirror"
    mirror(pacs, root)
    before = files(root)
    study = pacs.find("Study")[0]
    tags = pacs.call("GET", f"/studies/{study}/instances").json()
    request = {
        "Replace": {"PatientID": "MERGED"},
        "Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
        "Force": True,
    }
    modified = [
        pacs.call("POST", f"/instances/{tag['ID']}/modify", json=request).content for tag in tags
    ]
    pacs.remove("studies", study)
    for content in modified:
        pacs.call("POST", "/instances", data=content)
    report = mirror(pacs, root)
    assert (report.fetched, report.removed) == (len(tags), 0)
    changed = [name for name, found in files(root).items() if found != before[name]]
    assert len(changed) == len(tags)
    owners = {str(dcmread(root / "images" / name).PatientID) for name in changed}
    assert owners == {"MERGED"}


def test_the_query_and_the_modalities_select(pacs, phantoms, tmp_path):
    wanted = next(ds for p in phantoms.rglob("*.dcm") if (ds := dcmread(p)).Modality == "CT")
    report = mirror(
        pacs, tmp_path / "one", query={"PatientID": wanted.PatientID}, modalities=("CT",)
    )
    kept = [dcmread(path) for path in (tmp_path / "one" / "images").rglob("*.dcm")]
    assert report.instances == len(kept) > 0
    assert {(ds.PatientID, ds.Modality) for ds in kept} == {(wanted.PatientID, "CT")}
    whole = mirror(pacs, tmp_path / "one")
    assert whole.fetched == len(list(phantoms.rglob("*.dcm"))) - len(kept)


def test_nothing_that_matches_is_an_error_and_removes_nothing(pacs, tmp_path):
    root = tmp_path / "mirror"
    mirror(pacs, root)
    before = files(root)
    with pytest.raises(DataError, match=r"no study that matches \(PatientID\)") as caught:
        mirror(pacs, root, query={"PatientID": "Zuckerkandl"})
    assert "Zuckerkandl" not in str(caught.value)
    with pytest.raises(DataError, match="none of their series"):
        mirror(pacs, tmp_path / "other", modalities=("PT",))
    assert files(root) == before


_KILLED = """
import os, signal, sys
from pathlib import Path
from fedscan.client.sources import dicomweb
from fedscan.common.progress import no_progress
from fedscan.client.sources.settings import DicomwebSource

url, root, moment, number = sys.argv[1:]
count = 0

def die_at(name):
    global count
    count += name == moment
    if name == moment and count == int(number):
        os.kill(os.getpid(), signal.SIGKILL)

def placed(*arguments):
    die_at("before")
    result = place(*arguments)
    die_at("after")
    return result

def retrieved(pacs, instance, file):
    file.write_bytes(b"half")
    die_at("within")
    retrieve(pacs, instance, file)

place, dicomweb.place = dicomweb.place, placed
retrieve, dicomweb.Pacs.retrieve = dicomweb.Pacs.retrieve, retrieved
dicomweb.mirror_dicomweb(DicomwebSource(url=url), Path(root), no_progress)
"""


def test_killed_at_any_moment_it_goes_on_and_shows_no_part_of_a_file(pacs, phantoms, tmp_path):
    root = tmp_path / "mirror"
    total = len(list(phantoms.rglob("*.dcm")))
    counts = []
    for moment, number in (("within", 1), ("before", 2), ("after", 3)):
        words = [sys.executable, "-c", _KILLED, pacs.url, str(root), moment, str(number)]
        assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
        assert uids(root / "images") <= uids(phantoms)
        counts.append(len(files(root)))
    assert counts == [0, 1, 4]
    report = mirror(pacs, root)
    # The one that was in place but not on record yet is fetched again.
    assert (report.instances, report.fetched) == (total, total - 3)
    assert uids(root / "images") == uids(phantoms)
    assert not list((root / "incoming").iterdir())


def test_a_lost_or_cut_file_and_a_lost_record_are_mended(pacs, tmp_path):
    root = tmp_path / "mirror"
    total = mirror(pacs, root).instances
    before = files(root)
    one, other, *_ = sorted((root / "images").rglob("*.dcm"))
    one.unlink()
    other.write_bytes(other.read_bytes()[:500])
    assert mirror(pacs, root).fetched == 2
    for path in root.glob("state.sqlite*"):
        path.unlink()
    (root / "images" / "stray.dcm").write_bytes(b"x")
    kept = files(root)
    assert mirror(pacs, root).instances == total
    assert files(root) == {name: value for name, value in kept.items() if name != "stray.dcm"}
    assert set(files(root)) == set(before)


def test_two_at_once_are_refused(pacs, tmp_path):
    with (
        Mirror.open(tmp_path / "mirror"),
        pytest.raises(DataError, match="Another process is bringing"),
    ):
        mirror(pacs, tmp_path / "mirror")


def test_nothing_of_a_patient_is_logged(pacs, phantoms, tmp_path, caplog, capfd):
    some = dcmread(next(phantoms.rglob("*.dcm")))
    with caplog.at_level(logging.DEBUG):
        mirror(pacs, tmp_path / "mirror", query={"PatientID": some.PatientID})
    said = caplog.text + "".join(capfd.readouterr())
    for secret in (some.PatientID, some.StudyInstanceUID, str(some.PatientName)):
        assert str(secret) not in said
    names = "".join(str(path) for path in (tmp_path / "mirror").rglob("*"))
    assert some.PatientID not in names
