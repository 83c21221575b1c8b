"""A table may hold words that only a study to come has: they wait for it at the site."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.client.steward.admission import admit
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.terms import StudyTerms
from fedscan.client.workspace.participation import Participation
from fedscan.federation.protocol import RoundReply, RoundRequest
from site_homes import invitation_of
from tiny_hospitals import write_hospitals
from typer.testing import CliRunner

SCAPHOID = (
    'vocabulary.findings=[{word="fracture of the scaphoid", within="other finding", '
    'names=["scaphoid fx"]}]'
)
LABELS = """\
patient,findings
wrists-0,Fracture of the scaphoid
wrists-1,Fracture of the scaphoid; osteoarthritis
wrists-2,Fracture of the scaphoid
wrists-3,No finding
"""
COLUMNS = """\
patient,scaphoid_fx
wrists-0,1
wrists-1,1
wrists-2,0
wrists-3,
"""


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    write_hospitals(tmp_path, {"wrists": 4}, images=1)
    return tmp_path / "wrists"


def add(home: SiteHome, scans: Path, table: str) -> str:
    """Add the scans with a table, as a steward does; returns what is said."""
    path = scans.parent / "labels.csv"
    path.write_text(table, encoding="utf-8")
    where = ("--folder", scans, "--labels", path, "--home", home.folder)
    result = CliRunner().invoke(app, ["site", "add-data", "wrists", *map(str, where)])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def captions(home: SiteHome, request: RoundRequest) -> dict[str, int]:
    """What the site trains a study with: patients by caption."""
    part = Participation.open(request, StudyTerms.from_request(request), admit(home, request))
    return {words: n for words, (n, _) in part.data.dataset.contents().captions.items()}


def test_a_label_waits_for_the_study_that_has_it_among_its_words(
    home: SiteHome,
    scans: Path,
    make_request: Callable[..., RoundRequest],
    ask: Callable[..., RoundReply],
) -> None:
    said = add(home, scans, LABELS)
    assert "Labels that are no word of the vocabulary: Fracture of the scaphoid 3." in said
    assert "They wait for a study that has them among its own words." in said
    own, other = make_request(SCAPHOID), make_request()
    for request, name in ((own, "scaphoids"), (other, "others")):
        Approvals(home).approve(invitation_of(request, name), "wrists")
    assert ask(own).code == "ok"
    assert captions(home, own) == {
        "chest X-ray, PA view, fracture of the scaphoid": 2,
        # The study's own words weigh more than those that it begins with.
        "chest X-ray, PA view, fracture of the scaphoid, osteoarthritis": 1,
        "chest X-ray, PA view, no finding": 1,
    }
    # A study without the word takes nothing else for it, and not for "no finding".
    assert captions(home, other) == {
        "chest X-ray, PA view": 2,
        "chest X-ray, PA view, osteoarthritis": 1,
        "chest X-ray, PA view, no finding": 1,
    }


def test_a_column_waits_for_the_study_that_has_its_name(
    home: SiteHome, scans: Path, make_request: Callable[..., RoundRequest]
) -> None:
    said = add(home, scans, COLUMNS)
    assert "Columns without a meaning here: scaphoid_fx. They wait for a study" in said
    request = make_request(SCAPHOID)
    Approvals(home).approve(invitation_of(request, "scaphoids"), "wrists")
    assert captions(home, request) == {
        "chest X-ray, PA view, fracture of the scaphoid": 2,
        "chest X-ray, PA view, no finding": 1,
        "chest X-ray, PA view": 1,
    }


def test_a_table_of_known_words_waits_for_nothing(home: SiteHome, scans: Path) -> None:
    assert "wait for a study" not in add(home, scans, "patient,finding\nwrists-0,fracture\n")
    result = CliRunner().invoke(
        app, ["site", "labels", "wrists", "--home", str(home.folder), "--json"]
    )
    assert json.loads(result.stdout)["labels"]["unknown_words"] == {}
