"""A steward's receiver without the command: it counts what comes, and ends when told to."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fedscan.client.sources.settings import StoreSource
from fedscan.client.steward.data_sets import DataSet, Registry
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.client.steward.receiving import receive
from fedscan.errors import ConfigurationError
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings
from pydicom import dcmread
from pynetdicom import AE


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    init_site(tmp_path / "site", SiteSettings(name="north"))
    return SiteHome.open(tmp_path / "site")


def add(home: SiteHome, name: str, folder: Path, **about: object) -> None:
    folder.mkdir(parents=True)
    Registry(home).add(DataSet(name=name, folder=str(folder), **about))


def test_what_is_sent_is_counted_until_it_is_told_to_stop(home: SiteHome, tmp_path: Path) -> None:
    folder = tmp_path / "mirror" / "images"
    add(home, "films", folder, kind="cstore", url="FEDSCAN@127.0.0.1:0", senders=("PACS1",))
    scan = PhantomSettings(patients=(1,), slices=2, contrasts=("CT",), mask_share=0.0, matrix=64)
    write_hospitals(tmp_path / "pacs", scan)
    scans = [dcmread(path) for path in (tmp_path / "pacs").rglob("*.dcm")]
    stop, counts = threading.Event(), []

    def send(source: StoreSource) -> None:
        application = AE(ae_title="PACS1")
        application.add_requested_context(
            scans[0].SOPClassUID, scans[0].file_meta.TransferSyntaxUID
        )
        association = application.associate(source.host, source.port, ae_title=source.title)
        assert [association.send_c_store(scan).Status for scan in scans] == [0, 0]
        association.release()

    def counted(count: int) -> None:
        counts.append(count)
        stop.set()

    count = receive(home, "films", stop=stop, on_start=send, on_count=counted, every_s=0.05)
    assert (count, counts) == (2, [2])
    assert len(list((folder.parent / "arrived").rglob("*.dcm"))) == 2
    assert list(folder.iterdir()) == []


def test_a_plain_folder_is_not_received(home: SiteHome, tmp_path: Path) -> None:
    add(home, "chests", tmp_path / "chests")
    with pytest.raises(ConfigurationError, match="not received by C-STORE"):
        receive(home, "chests", stop=threading.Event())
