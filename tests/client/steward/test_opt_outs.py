"""Patients who opt out: in no later round, nothing of them kept, and provably so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.data.dataset import SiteDataset
from fedscan.client.data.opt_out import OptOutList
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.opt_outs import add_opt_outs, read_identifiers, remains, require_list
from fedscan.errors import DataError
from fedscan.imaging.settings import DataSettings
from site_homes import invitation_of
from typer.testing import CliRunner

PATIENT = "chest-1"


def cli(home: SiteHome, *words: object) -> tuple[int, str]:
    given = ["site", *map(str, words), "--home", str(home.folder)]
    result = CliRunner().invoke(app, given)
    return result.exit_code, " ".join(result.output.split())


def opened(home: SiteHome, side: int = 32) -> SiteDataset:
    state = home.state("chest")
    return SiteDataset.open(
        home.folder.parent / "scans" / "chest",
        DataSettings(image_size=side),
        state / "cache",
        state_dir=state,
        opt_outs=OptOutList.read(home.opt_outs),
    )


def kept(home: SiteHome) -> set[str]:
    return {path.name for path in home.state("chest").rglob("*.safetensors")}


def listed(folder: Path, *identifiers: str) -> Path:
    path = folder / "withdrawn.txt"
    path.write_text("# who wrote to us\n" + "\n".join(identifiers) + "\n", encoding="utf-8")
    return path


def test_a_patient_who_opts_out_is_in_no_later_round_and_nothing_is_kept(
    home: SiteHome, ask, make_request, tmp_path: Path
):
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    assert ask(request).code == "ok"
    before = {side: opened(home, side).patients for side in (32, 16)}
    files = kept(home)
    file = listed(tmp_path, f"  {PATIENT.upper()} ", "nobody-here")
    status, said = cli(home, "opt-out", "add", file)
    assert status == 0
    assert "New on the list: 2 patients" in said
    assert "no list can call back" in said
    after = {side: opened(home, side) for side in (32, 16)}
    for side, dataset in after.items():
        (gone,) = set(before[side]) - set(dataset.patients)
        assert dataset.contents().set_aside == {"of a patient who opted out": 2}
        assert f"{gone}.safetensors" in files
        assert f"{gone}.safetensors" not in kept(home)
    assert cli(home, "opt-out", "check", file)[0] == 0
    headers = OptOutList.read(home.opt_outs).headers_folder
    (folder,) = (home.state("chest") / "cache").glob("headers*")
    assert folder.name == headers != "headers"
    assert ask(make_request(fill=0.25)).code == "ok"
    assert f"{gone}.safetensors" not in kept(home)
    status, said = cli(home, "opt-out", "check")
    assert status == 0
    assert "chest: 2 of their files are in the hospital's folder" in said
    assert "Nothing is left here of 2 patients" in said
    stored = home.opt_outs.read_text()
    assert PATIENT not in stored.lower()
    assert home.opt_outs.stat().st_mode & 0o077 == 0


def test_latents_and_decoded_images_of_every_setting_are_removed(home: SiteHome):
    for side in (32, 16):
        opened(home, side)
    key = next(key for key in opened(home).patients)
    state = home.state("chest")
    for name in ("aa", "bb"):  # of two bases
        (state / "cache" / "latents" / name).mkdir(parents=True)
        (state / "cache" / "latents" / name / f"{key}.safetensors").write_bytes(b"latents")
    of = {patient: identity_key(home, patient) for patient in ("chest-0", "chest-1", "chest-2")}
    patient = next((name for name, found in of.items() if found == key), "chest-3")
    done = add_opt_outs(home, [patient])
    # Two caches with their manifests, two folders of latents, and what headers said.
    assert done.removed_files == 7
    assert not [path for path in state.rglob("*") if key in path.name]
    assert remains(home, [patient]).files == ()


def identity_key(home: SiteHome, patient: str) -> str:
    from fedscan.client.data.identity import DatasetIdentity

    return DatasetIdentity.load_or_create(home.state("chest")).patient_key(patient)


def test_what_is_left_is_found_by_name_and_by_content(home: SiteHome, tmp_path: Path):
    opened(home)
    key = identity_key(home, PATIENT)
    file = listed(tmp_path, PATIENT)
    assert cli(home, "opt-out", "check", file)[0] == 3, "not on the list"
    backup = shutil.copytree(home.state("chest") / "cache", tmp_path / "backup")
    assert cli(home, "opt-out", "add", file)[0] == 0
    shutil.copytree(backup, home.state("chest") / "cache", dirs_exist_ok=True)
    home.logs.mkdir(exist_ok=True)
    (home.logs / "site.log").write_text(f"An error with {PATIENT}.\n")
    status, said = cli(home, "opt-out", "check", file, "--json")
    assert status == 3
    found = remains(home, [PATIENT]).files
    of_cache = {f"{key}.safetensors", "manifest.json", "headers"}
    assert {path.name for path in found} == {*of_cache, "site.log"}
    assert len(json.loads(said)["left"]) == 4
    assert "Left of 1 patient who opted out: 4 files" in cli(home, "opt-out", "check", file)[1]
    # The keys alone find what is named by them.
    assert {path.name for path in remains(home).files} == of_cache
    assert cli(home, "opt-out", "add", file)[0] == 0
    assert [path.name for path in remains(home, [PATIENT]).files] == ["site.log"]


@pytest.mark.parametrize("loss", ["gone", "shorter", "damaged"])
def test_a_list_that_lost_somebody_stops_everything(home: SiteHome, ask, make_request, loss: str):
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    add_opt_outs(home, ["chest-0", "chest-1"])
    if loss == "gone":
        home.opt_outs.unlink()
    elif loss == "shorter":
        content = json.loads(home.opt_outs.read_text())
        content["patients"].pop()
        home.opt_outs.write_text(json.dumps(content))
    else:
        home.opt_outs.write_text("{")
    assert ask(request).code == "data"
    with pytest.raises(DataError, match="opt-out list"):
        require_list(home)
    result = CliRunner().invoke(app, ["doctor", "--site", str(home.folder), "--json"])
    found = {one["check"]: one for one in json.loads(result.stdout)}
    assert found["opt-outs"]["state"] == "problem"


def test_nobody_is_put_on_the_list_twice(home: SiteHome):
    add_opt_outs(home, ["chest-0"])
    again = add_opt_outs(home, ["CHEST-0", "chest-1"])
    assert (again.new_patients, again.already, again.total) == (1, 1, 2)
    status, said = cli(home, "opt-out", "list")
    assert (status, "2 patients opted out in all" in said) == (0, True)


def test_a_file_of_identifiers_that_names_nobody_is_refused(tmp_path: Path):
    path = tmp_path / "list.txt"
    for content in (b"", b"# nobody\n\n", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(DataError):
            read_identifiers(path)
    path.write_text("\ufeffA-1\r\n a-1 \r\n\r\nB\n", encoding="utf-8")
    assert read_identifiers(path) == ["a-1", "b"]


def test_refresh_removes_what_is_kept_of_patients_who_are_gone(home: SiteHome):
    for side in (32, 16):
        opened(home, side)
    before = kept(home)
    for path in (home.folder.parent / "scans" / "chest").glob("1-*.dcm"):
        path.unlink()
    status, said = cli(home, "refresh", "chest")
    assert status == 0
    assert "Removed of 1 patient who left: 5 files" in said
    key = identity_key(home, PATIENT)
    assert f"{key}.safetensors" in before
    assert kept(home) == before - {f"{key}.safetensors"}
    assert "Nothing is kept of patients who are not there" in cli(home, "refresh", "chest")[1]
