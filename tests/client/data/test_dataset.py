"""The disk cache: built once, resumed after a kill, renewed where files changed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fedscan.client.data import example_cache
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.data.identity import FILE_NAME
from fedscan.errors import DataError
from fedscan.imaging.labels.table import read_table
from fedscan.imaging.settings import DataSettings
from fedscan.model.words.tables import shipped_words

SETTINGS = DataSettings(image_size=16, holdout_fraction=0.3)


@pytest.fixture
def write_site(write_volume):
    """Write patients ``p0``, ``p1``, … with one short CT each."""

    def write(folder: Path, patients: range) -> None:
        for number in patients:
            volume = np.random.default_rng(number).integers(0, 900, (3, 16, 16)).astype(np.int16)
            fields = {"PatientID": f"p{number}", "SeriesInstanceUID": f"1.2.{number}"}
            write_volume(folder / f"p{number}", volume, **fields)

    return write


def images(dataset: SiteDataset) -> dict[str, np.ndarray]:
    return {
        key: np.array([example.image for example in dataset.examples(key)])
        for key in dataset.patients
    }


def assert_same(one: SiteDataset, other: SiteDataset) -> None:
    assert one.patients == other.patients
    for key, stack in images(one).items():
        np.testing.assert_array_equal(stack, images(other)[key])


def test_examples_come_back_as_they_were(tmp_path, write_site):
    write_site(tmp_path / "scans", range(4))
    dataset = SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache")
    assert len(dataset.patients) == 4
    for key in dataset.patients:
        every = dataset.examples(key)
        assert dataset.count(key) == len(every) == 3
        (last,) = dataset.examples(key, [2])
        np.testing.assert_array_equal(last.image, every[2].image)
        assert last.description == every[2].description
        assert last.image.dtype == np.float32


def test_an_unchanged_folder_is_not_decoded_again(tmp_path, write_site, monkeypatch):
    write_site(tmp_path / "scans", range(3))
    first = SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache")
    monkeypatch.setattr(example_cache, "index_files", None)
    assert_same(first, SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache"))


def series_decoded(monkeypatch) -> list[str]:
    """Return a list that each series is put on when it is decoded from now on."""
    decoded = []
    build = example_cache.series_examples
    monkeypatch.setattr(
        example_cache, "series_examples", lambda *a: decoded.append(a[1].uid) or build(*a)
    )
    return decoded


def test_only_changed_patients_are_decoded_again(tmp_path, write_site, monkeypatch):
    scans = tmp_path / "scans"
    write_site(scans, range(3))
    first = SiteDataset.open(scans, SETTINGS, tmp_path / "cache")
    before = images(first)
    write_site(scans, range(3, 5))
    (scans / "p0" / "000").unlink()
    shutil.rmtree(scans / "p1")
    decoded = series_decoded(monkeypatch)
    second = SiteDataset.open(scans, SETTINGS, tmp_path / "cache")
    assert sorted(decoded) == ["1.2.0", "1.2.3", "1.2.4"]
    assert second.identity == first.identity
    assert len(second.patients) == 4
    kept = set(first.patients) & set(second.patients)
    assert len(kept) == 2
    assert {len(images(second)[key]) for key in kept} == {2, 3}
    assert sum(np.array_equal(images(second)[key], before[key]) for key in kept) == 1
    stored = list((tmp_path / "cache" / "examples").rglob("*.safetensors"))
    assert len(stored) == 4, "the patient who left is gone from the cache"


def _open_and_die(scans: Path, cache: Path, after: int) -> None:
    def report(what: str, done: int, total: int) -> None:
        if what == "patients" and done == after:
            # As if killed while the next patient is written: a part of its file is there.
            root = next((cache / "examples").iterdir())
            (root / ".half.safetensors.1.tmp").write_bytes(b"\0" * 100)
            os._exit(9)

    SiteDataset.open(scans, SETTINGS, cache, report=report)


def test_a_killed_build_resumes_where_it_was(tmp_path, write_site, monkeypatch):
    scans = tmp_path / "scans"
    write_site(scans, range(6))
    whole = SiteDataset.open(scans, SETTINGS, tmp_path / "other", state_dir=tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "cache")
    process = multiprocessing.get_context("fork").Process(
        target=_open_and_die, args=(scans, tmp_path / "cache", 4)
    )
    process.start()
    process.join()
    assert process.exitcode == 9
    decoded = series_decoded(monkeypatch)
    assert_same(SiteDataset.open(scans, SETTINGS, tmp_path / "cache"), whole)
    assert len(decoded) == 2
    assert not list((tmp_path / "cache").rglob("*.tmp"))


@pytest.mark.parametrize("damage", ["cut", "gone", "manifest"])
def test_a_damaged_cache_is_rebuilt(tmp_path, write_site, damage):
    write_site(tmp_path / "scans", range(3))
    first = SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache")
    expected = images(first)
    victim = first.patient(first.patients[1]).path
    if damage == "cut":
        victim.write_bytes(victim.read_bytes()[:50])
    elif damage == "gone":
        victim.unlink()
    else:
        (victim.parent / "manifest.json").write_text('{"state"')
    again = SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache")
    for key, stack in images(again).items():
        np.testing.assert_array_equal(stack, expected[key])


def test_settings_have_caches_of_their_own(tmp_path, write_site):
    write_site(tmp_path / "scans", range(2))
    for size in (16, 24):
        settings = DataSettings(image_size=size)
        dataset = SiteDataset.open(tmp_path / "scans", settings, tmp_path / "cache")
        assert dataset.examples(dataset.patients[0])[0].image.shape == (size, size)


def test_the_split_is_by_patient_lasting_and_the_same_everywhere(tmp_path, write_site):
    scans = tmp_path / "scans"
    write_site(scans, range(20))
    first = SiteDataset.open(scans, SETTINGS, tmp_path / "a")
    other = SiteDataset.open(scans, SETTINGS, tmp_path / "b")
    assert set(first.train_patients) | set(first.holdout_patients) == set(first.patients)
    assert not set(first.train_patients) & set(first.holdout_patients)
    assert 0 < len(first.holdout_patients) < 14
    # Another state folder: other keys, but the same patients in the same order.
    assert set(first.patients).isdisjoint(other.patients)
    for mine, theirs in zip(first.holdout_patients, other.holdout_patients, strict=True):
        np.testing.assert_array_equal(images(first)[mine], images(other)[theirs])
    write_site(scans, range(20, 30))
    grown = SiteDataset.open(scans, SETTINGS, tmp_path / "a")
    assert set(first.holdout_patients) <= set(grown.holdout_patients)
    assert set(first.train_patients) <= set(grown.train_patients)
    nobody = SiteDataset.open(
        scans, DataSettings(image_size=16, holdout_fraction=0), tmp_path / "a"
    )
    assert nobody.holdout_patients == ()


def _open(scans: Path, cache: Path, answers: multiprocessing.Queue) -> None:
    dataset = SiteDataset.open(scans, SETTINGS, cache)
    answers.put((dataset.identity, dataset.patients))


def test_processes_that_open_at_once_agree(tmp_path, write_site):
    write_site(tmp_path / "scans", range(5))
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    processes = [
        context.Process(target=_open, args=(tmp_path / "scans", tmp_path / "cache", answers))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(found) == 1


def test_a_damaged_identity_is_an_error_not_a_new_budget(tmp_path, write_site):
    write_site(tmp_path / "scans", range(1))
    SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache", state_dir=tmp_path / "state")
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "state" / FILE_NAME).write_text("{}")
    with pytest.raises(DataError, match="damaged"):
        SiteDataset.open(
            tmp_path / "scans", SETTINGS, tmp_path / "cache", state_dir=tmp_path / "state"
        )


def test_a_patient_whose_files_all_fail_is_not_listed(tmp_path, write_site, write_image):
    write_site(tmp_path / "scans", range(1))
    blank = np.full((16, 16), -1000, np.int16)
    write_image(tmp_path / "scans" / "x", blank, PatientID="blank")
    dataset = SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache")
    assert len(dataset.patients) == 1
    contents = dataset.contents()
    assert contents.set_aside == {"slice shows nothing": 1}
    assert contents.captions == {"axial CT slice of the chest": (1, 3)}
    again = SiteDataset.open(tmp_path / "scans", SETTINGS, tmp_path / "cache")
    assert again.contents() == contents


def test_only_the_wanted_rows_are_read_from_disk(tmp_path, write_volume):
    """A site larger than memory: opening and reading a row must not read the whole patient."""
    volume = np.random.default_rng(0).integers(0, 900, (64, 16, 16)).astype(np.int16)
    write_volume(tmp_path / "scans", volume)
    settings = DataSettings(image_size=256, max_slices_per_series=64)
    dataset = SiteDataset.open(tmp_path / "scans", settings, tmp_path / "cache")
    (key,) = dataset.patients
    assert dataset.patient(key).path.stat().st_size > 8_000_000
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is measured through /proc")
    before = _resident()
    dataset.examples(key, [3])
    assert _resident() - before < 4_000_000


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_the_table_of_a_site_decides_its_split_and_changes_only_its_own_patients(
    tmp_path, write_site, monkeypatch
):
    scans, path = tmp_path / "scans", tmp_path / "labels.csv"
    write_site(scans, range(12))
    rows = [f"p{n},{'test' if n % 2 else 'train'},{n % 3 == 0:d}" for n in range(10)]

    def opened(lines: list[str]) -> SiteDataset:
        path.write_text("\n".join(["patient,split,mass", *lines]) + "\n")
        table = read_table(path, shipped_words())
        return SiteDataset.open(
            scans, SETTINGS, tmp_path / "cache", words=shipped_words(), labels=table
        )

    first = opened(rows)
    assert 5 <= len(first.holdout_patients) <= 7
    assert len(first.patients) == 12
    contents = first.contents()
    assert (contents.labels.train, contents.labels.held_out) == (5, 5)
    assert contents.captions["axial CT slice of the chest, mass"] == (4, 12)
    # What comes back from disk can be counted like what was written.
    found = Counter(one.description.findings for k in first.patients for one in first.examples(k))
    assert found[("mass",)] == 12
    again = SiteDataset.open(
        scans,
        SETTINGS,
        tmp_path / "cache",
        words=shipped_words(),
        labels=read_table(path, shipped_words()),
    )
    assert again.contents() == contents
    decoded = series_decoded(monkeypatch)
    changed = opened([*rows[:3], "p3,test,0", *rows[4:]])
    assert decoded == ["1.2.3"]
    contents = {key: first.content(key) for key in first.patients}
    assert sum(changed.content(key) != contents[key] for key in changed.patients) == 1


def test_words_decide_what_a_cache_says_and_each_vocabulary_has_its_own(tmp_path, write_volume):
    volume = np.random.default_rng(0).integers(0, 900, (3, 16, 16)).astype(np.int16)
    told = {"AdmittingDiagnosesDescription": "glioma, haemorrhage", "BodyPartExamined": "ORBIT"}
    write_volume(tmp_path / "scans" / "p", volume, PatientID="p", **told)
    settings, captions = DataSettings(image_size=16, holdout_fraction=0), {}
    for name, words in (("few", None), ("many", shipped_words())):
        for _ in range(2):  # made, and then read from the disk
            dataset = SiteDataset.open(
                tmp_path / "scans", settings, tmp_path / "cache", words=words
            )
            shown = {one.description for one in dataset.examples(dataset.patients[0])}
            captions[name] = {one.caption() for one in shown}
    assert captions == {
        "few": {"axial CT slice of the head, other finding"},
        "many": {"axial CT slice of the orbit, glioma, haemorrhage"},
    }
    assert dataset.contents().combinations == {
        ("CT", "orbit", ""): 1,
        ("CT", "orbit", "glioma"): 1,
        ("CT", "orbit", "haemorrhage"): 1,
    }
