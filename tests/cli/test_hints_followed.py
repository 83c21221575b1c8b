"""Hints are followed to their end: what they say is typed in, and then the thing works.

``test_hints_listed.py`` names, for every hint that gives a command, the test that follows it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.steward.admission import require_open
from fedscan.client.steward.home import SiteHome
from fedscan.config.study import load_study
from fedscan.errors import PausedError
from fedscan.federation.invitation import Invitation
from fedscan.model.storage import generator_digest
from fedscan.server.terms import site_terms
from tiny_hospitals import write_hospitals
from typer.testing import CliRunner


def fedscan(*words: object, status: int = 0) -> str:
    """Type a command; return what it said, on one line."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, f"{words}: {result.exit_code}\n{result.output}"
    return " ".join(result.output.split())


@pytest.fixture
def site(tmp_path: Path, tiny_generator: Path) -> Path:
    """A site's home with the data set ``chest`` of four made-up patients."""
    home = tmp_path / "site"
    base = tiny_generator / "generator"
    fedscan("site", "init", "north", "--home", home, "--base", base)
    write_hospitals(tmp_path / "scans", {"chest": 4})
    fedscan("site", "add-data", "chest", "--folder", tmp_path / "scans" / "chest", "--home", home)
    policy = SiteHome.open(home).policy
    policy.write_text(policy.read_text().replace("min_patients = 20", "min_patients = 1"))
    return home


@pytest.fixture
def invitation(tmp_path: Path, tiny_generator: Path) -> Path:
    study = load_study(None, ["data.image_size=32", "federation.rounds=5"])
    base = generator_digest(tiny_generator / "generator")
    content = Invitation(name="lungs", rounds=5, base=base, terms=site_terms(study)).to_json()
    path = tmp_path / "lungs.invitation.json"
    path.write_bytes(content)
    return path


def test_a_site_that_is_not_there_is_set_up(tmp_path: Path) -> None:
    home = tmp_path / "site"
    assert "fedscan site init NAME" in fedscan("site", "status", "--home", home, status=2)
    fedscan("site", "init", "north", "--home", home)
    assert "north" in fedscan("site", "status", "--home", home)


def test_damaged_settings_are_written_anew(site: Path, tmp_path: Path) -> None:
    settings, keys = site / "site.toml", (site / "keys" / "tls.key").read_bytes()
    settings.write_text("name = 7\n")
    assert "move it away" in fedscan("site", "status", "--home", site, status=2)
    settings.rename(tmp_path / "old.toml")
    fedscan("site", "init", "north", "--home", site)
    assert "chest" in fedscan("site", "status", "--home", site)
    assert (site / "keys" / "tls.key").read_bytes() == keys
    welcome = joined(site, tmp_path)
    fedscan("site", "join", welcome, "--yes", "--home", site)


def joined(site: Path, folder: Path) -> Path:
    """Have a coordinator issue a welcome for a site's request."""
    home, welcome = folder / "coordinator", folder / "welcome.json"
    fedscan("coordinator", "init", "--home", home, "--host", "127.0.0.1")
    words = ("enrol", "north", "--request", site / "request.json", "--out", welcome)
    fedscan("coordinator", *words, "--yes", "--home", home)
    return welcome


def test_a_site_joins_before_it_starts(site: Path, tmp_path: Path) -> None:
    start = ("site", "start", "--home", site, "--patience", "0")
    assert "fedscan site join WELCOME" in fedscan(*start, status=2)
    fedscan("site", "join", joined(site, tmp_path), "--yes", "--home", site)
    # The coordinator does not run; nothing of the site's own is missing any more.
    assert "site join" not in fedscan(*start, status=10)


def test_a_data_set_that_is_missing_is_added(site: Path, invitation: Path, tmp_path: Path) -> None:
    approve = ("site", "approve", invitation, "--data", "hands", "--yes", "--home", site)
    assert "fedscan site add-data NAME --folder FOLDER" in fedscan(*approve, status=3)
    write_hospitals(tmp_path / "more", {"hands": 4})
    fedscan("site", "add-data", "hands", "--folder", tmp_path / "more" / "hands", "--home", site)
    fedscan(*approve)


def test_a_study_is_named_as_it_is_listed(site: Path, invitation: Path) -> None:
    fedscan("site", "approve", invitation, "--yes", "--home", site)
    said = fedscan("site", "show", "hearts", "--home", site, status=7)
    assert "`fedscan site approve`" in said
    assert "lungs" in fedscan("site", "approve", "--home", site)
    fedscan("site", "show", "lungs", "--home", site)


def test_an_approved_study_is_taken_back_and_declined(site: Path, invitation: Path) -> None:
    fedscan("site", "approve", invitation, "--yes", "--home", site)
    decline = ("site", "decline", invitation, "--reason", "no vote", "--home", site)
    said = fedscan(*decline, status=7)
    hint = re.search(r"`fedscan (site approve \S+ --withdraw)`", said)
    assert hint, said
    fedscan(*hint[1].split(), "--home", site)
    fedscan(*decline)


def test_a_paused_site_goes_on(site: Path) -> None:
    home = SiteHome.open(site)
    assert "`fedscan site resume`" in fedscan("site", "pause", "--home", site)
    with pytest.raises(PausedError) as failure:
        require_open(home)
    assert "`fedscan site resume`" in failure.value.hint
    fedscan("site", "resume", "--home", site)
    require_open(home)


def test_a_table_is_given(site: Path, tmp_path: Path) -> None:
    labels = ("site", "labels", "chest", "--home", site)
    said = fedscan(*labels, status=2)
    assert "`fedscan site labels chest TABLE`" in said
    table = tmp_path / "labels.csv"
    table.write_text("patient,pneumonia\nchest-0,1\nchest-1,0\n")
    fedscan("site", "labels", "chest", table, "--home", site)
    fedscan(*labels)


def test_who_is_not_on_the_list_is_put_on(site: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("PATIENT-1\n")
    check = ("site", "opt-out", "check", names, "--home", site)
    assert "`fedscan site opt-out add FILE`" in fedscan(*check, status=3)
    fedscan("site", "opt-out", "add", names, "--home", site)
    fedscan(*check)


def test_what_the_doctor_advises_of_data_is_done(tmp_path: Path) -> None:
    home = tmp_path / "site"
    fedscan("site", "init", "north", "--home", home)
    doctor = CliRunner().invoke(app, ["doctor", "--site", str(home)]).output
    assert "`fedscan site add-data` adds one" in " ".join(doctor.split())
    write_hospitals(tmp_path / "scans", {"chest": 4})
    scans = tmp_path / "scans" / "chest"
    fedscan("site", "add-data", "chest", "--folder", scans, "--home", home)
    for path in scans.iterdir():
        path.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 60)
    doctor = " ".join(CliRunner().invoke(app, ["doctor", "--site", str(home)]).output.split())
    assert "adds one" not in doctor
    hint = re.search(r"`fedscan index (\S+)`", doctor)
    assert hint, doctor
    assert "aside" in CliRunner().invoke(app, ["index", hint[1]]).output


def test_a_study_is_written_and_read(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    said = fedscan("config", "--config", file, status=2)
    assert "`fedscan config > study.toml`" in said
    file.write_text(CliRunner().invoke(app, ["config"]).stdout)
    fedscan("config", "--config", file)
    for wrong in ("federation.rounds=none", f"federation.rounds={'9' * 5000}"):
        said = fedscan("config", "--set", wrong, status=2)
        assert "`fedscan config --markdown`" in said
    assert "rounds" in fedscan("config", "--markdown")


def test_a_generator_is_made_where_there_is_none(tmp_path: Path, tiny_generator: Path) -> None:
    generate = ("--prompt", "chest X-ray", "--anyway", "--steps", "1", "--out")
    (tmp_path / "empty").mkdir()
    said = fedscan("generate", tmp_path / "empty", *generate, tmp_path / "images", status=6)
    assert "the folder that `fedscan simulate` or `fedscan pretrain` wrote" in said
    # The run's folder as well as the generator in it.
    for number, folder in enumerate((tiny_generator, tiny_generator / "generator")):
        fedscan("generate", folder, *generate, tmp_path / f"images-{number}")


def test_images_are_made_and_verified(tmp_path: Path, tiny_generator: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = fedscan("verify", tmp_path / "empty", status=7)
    assert "Give a folder that `fedscan generate` wrote" in said
    words = ("--prompt", "chest X-ray", "--anyway", "--steps", "1", "--out", tmp_path / "images")
    fedscan("generate", tiny_generator, *words)
    fedscan("verify", tmp_path / "images")


def test_a_coordinators_folder_is_made(tmp_path: Path) -> None:
    home = tmp_path / "coordinator"
    assert "fedscan coordinator init" in fedscan("coordinator", "status", "--home", home, status=2)
    fedscan("coordinator", "init", "--home", home, "--host", "127.0.0.1")
    fedscan("coordinator", "status", "--home", home)


def test_what_a_try_out_left_is_ended_and_another_folder_is_named(tmp_path: Path) -> None:
    left = tmp_path / "try"
    left.mkdir()
    (left / "tryout.json").write_text('{"keep": false}')
    said = fedscan("try", left, status=2)
    hint = re.search(r"`fedscan (try \S+ --stop)`", said)
    assert hint, said
    fedscan(*hint[1].split())
    assert not left.exists()
    assert "`fedscan try FOLDER --stop`" in fedscan("try", left, "--stop", status=2)
