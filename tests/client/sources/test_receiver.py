"""What a PACS sends by C-STORE is stored whole, from whom it may come, and taken in on request."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from fedscan.client.sources.receiver import publish, receiver
from fedscan.client.sources.settings import StoreSource
from fedscan.common.progress import no_progress
from fedscan.errors import ConfigurationError, DataError, FederationError
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.dicom.summary import summarise
from fedscan.imaging.settings import DataSettings
from orthanc import free_port, orthanc, require_orthanc
from pydicom import dcmread
from pynetdicom import AE

DATA = DataSettings(burned_in="refuse_marked")
#: Not the program of the same name that pynetdicom installs.
STORESCU = shutil.which("storescu", path="/usr/bin:/usr/local/bin:/opt/homebrew/bin")
SOURCE = StoreSource(title="FEDSCAN", senders=("PACS1",), port=0)


def send(port: int, files: Sequence[Path], *, own: str = "PACS1", to: str = "FEDSCAN") -> list[int]:
    """Send files as a PACS does; return their statuses, none where it was turned away."""
    application = AE(ae_title=own)
    for kind in {(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID) for ds in map(dcmread, files)}:
        application.add_requested_context(*kind)
    association = application.associate("127.0.0.1", port, ae_title=to)
    if not association.is_established:
        return []
    statuses = [association.send_c_store(file).Status for file in files]
    association.release()
    return statuses


def state(root: Path) -> dict[str, tuple[int, int]]:
    images = root / "images"
    return {
        str(path.relative_to(images)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in images.rglob("*.dcm")
    }


def test_what_was_sent_is_what_the_index_finds(phantoms, tmp_path):
    files = sorted(phantoms.rglob("*.dcm"))
    counts = []
    with receiver(SOURCE, tmp_path, counts.append) as port:
        assert send(port, files) == [0] * len(files)
    assert counts[-1] == len(files)
    assert not list((tmp_path / "receiving").iterdir())
    assert not (tmp_path / "images").exists(), "a data set does not change by itself"
    report = publish(tmp_path, no_progress)
    assert (report.instances, report.fetched) == (len(files), len(files))
    found = summarise(index_folder(tmp_path / "images", DATA))
    assert found == summarise(index_folder(phantoms, DATA))
    assert not list((tmp_path / "arrived").rglob("*.dcm"))


def test_sent_again_nothing_changes_and_a_correction_replaces(phantoms, tmp_path):
    files = sorted(phantoms.rglob("*.dcm"))[:3]
    with receiver(SOURCE, tmp_path / "mirror") as port:
        send(port, files)
        publish(tmp_path / "mirror", no_progress)
        before = state(tmp_path / "mirror")
        send(port, files)
        assert publish(tmp_path / "mirror", no_progress).fetched == 0
        assert state(tmp_path / "mirror") == before
        corrected = dcmread(files[0])
        corrected.PatientID = "CORRECTED"
        corrected.save_as(tmp_path / "corrected.dcm")
        send(port, [tmp_path / "corrected.dcm"])
    report = publish(tmp_path / "mirror", no_progress)
    assert (report.instances, report.fetched) == (3, 1)


@pytest.mark.parametrize(("own", "to"), [("STRANGER", "FEDSCAN"), ("PACS1", "OTHER")])
def test_other_titles_are_turned_away(phantoms, tmp_path, own, to):
    files = sorted(phantoms.rglob("*.dcm"))[:1]
    with receiver(SOURCE, tmp_path) as port:
        assert send(port, files, own=own, to=to) == []
    assert not list((tmp_path / "arrived").rglob("*.dcm"))


def test_leftovers_of_a_killed_receiver_are_removed(phantoms, tmp_path):
    (tmp_path / "receiving").mkdir()
    (tmp_path / "receiving" / "half.dcm").write_bytes(b"half")
    files = sorted(phantoms.rglob("*.dcm"))[:2]
    with receiver(SOURCE, tmp_path) as port:
        assert not list((tmp_path / "receiving").iterdir())
        send(port, files)
    # Killed in between, publishing goes on with what is left.
    with receiver(SOURCE, tmp_path) as port:
        assert len(list((tmp_path / "arrived").rglob("*.dcm"))) == 2
        with pytest.raises(DataError, match="Another receiver"), receiver(SOURCE, tmp_path):
            pass
        with (
            pytest.raises(FederationError, match="cannot be listened at"),
            receiver(StoreSource(title="X", senders=("Y",), port=port), tmp_path / "b"),
        ):
            pass
    assert publish(tmp_path, no_progress).fetched == 2


def test_a_full_disk_is_told_to_the_sender(phantoms, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("fedscan.client.sources.receiver.shutil.disk_usage", lambda _: usage)
    with receiver(SOURCE, tmp_path) as port:
        assert send(port, sorted(phantoms.rglob("*.dcm"))[:1]) == [0xA700]


def test_nothing_of_a_patient_is_said(phantoms, tmp_path, capfd, caplog):
    files = sorted(phantoms.rglob("*.dcm"))[:2]
    with caplog.at_level(logging.DEBUG), receiver(SOURCE, tmp_path) as port:
        send(port, files)
        publish(tmp_path, no_progress)
    said = caplog.text + "".join(capfd.readouterr())
    ds = dcmread(files[0])
    for secret in (ds.PatientID, ds.StudyInstanceUID, ds.SOPInstanceUID):
        assert secret not in said
        assert secret not in "".join(map(str, tmp_path.rglob("*")))


@pytest.mark.skipif(STORESCU is None, reason="needs DCMTK's storescu (Debian: dcmtk)")
def test_dcmtk_can_send(phantoms, tmp_path):
    files = []
    for number, path in enumerate(sorted(phantoms.rglob("1.dcm"))):
        ds = dcmread(path)
        if ds.file_meta.TransferSyntaxUID.is_compressed:  # storescu would need to be told
            ds.decompress(generate_instance_uid=False)
        files.append(tmp_path / f"{number}.dcm")
        ds.save_as(files[-1])
    with receiver(SOURCE, tmp_path / "mirror") as port:
        words = [str(STORESCU), "-R", "-aet", "PACS1", "-aec", "FEDSCAN", "127.0.0.1", str(port)]
        done = subprocess.run([*words, *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert publish(tmp_path / "mirror", no_progress).fetched == len(files) > 0


def test_orthanc_can_send(phantoms, tmp_path):
    require_orthanc()
    port = free_port()
    source = StoreSource(title="FEDSCAN", senders=("ORTHANC",), port=port)
    modality = {"fedscan": {"AET": "FEDSCAN", "Host": "127.0.0.1", "Port": port}}
    with (
        orthanc(tmp_path / "o", DicomModalities=modality, DicomAet="ORTHANC") as pacs,
        receiver(source, tmp_path / "mirror"),
    ):
        pacs.add(*phantoms.rglob("*.dcm"))
        pacs.call("POST", "/modalities/fedscan/store", json=pacs.find("Study"))
    publish(tmp_path / "mirror", no_progress)
    found = summarise(index_folder(tmp_path / "mirror" / "images", DATA))
    assert found == summarise(index_folder(phantoms, DATA))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("A", ("A", "127.0.0.1", 11112)),
        ("A@104", ("A", "127.0.0.1", 104)),
        ("MY PACS@10.0.0.1:104", ("MY PACS", "10.0.0.1", 104)),
        ("A@[::1]:104", ("A", "::1", 104)),
    ],
)
def test_addresses_are_read(address, expected):
    source = StoreSource.from_address(address, ("B",))
    assert (source.title, source.host, source.port) == expected


@pytest.mark.parametrize(
    ("address", "senders"),
    [("A@b:c", ("B",)), ("", ("B",)), ("A" * 17, ("B",)), ("A\\B", ("B",)), ("A", ())],
)
def test_wrong_addresses_and_titles_are_refused(address, senders):
    with pytest.raises(ConfigurationError):
        StoreSource.from_address(address, senders)
