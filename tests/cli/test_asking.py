"""Fingerprints are shown and asked for before anything is issued or trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fedscan.cli.main import app
from fedscan.server.coordinator.home import Home
from fedscan.server.coordinator.members import members
from typer.testing import CliRunner


class People:
    """A coordinator and a steward on one machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.coordinator, self.site = folder / "coordinator", folder / "site"
        self.request, self.welcome = self.site / "request.json", folder / "welcome.json"
        self.init = self.does("coordinator", "init", "--host", "fl.example.org")
        self.site_init = self.does("site", "init", "north")

    def tries(self, group: str, *arguments: object, answer: str = "") -> tuple[int, str]:
        home = self.coordinator if group == "coordinator" else self.site
        words = [group, *map(str, arguments), "--home", str(home)]
        result = CliRunner().invoke(app, words, input=answer)
        return result.exit_code, " ".join(result.output.split())

    def does(self, group: str, *arguments: object, answer: str = "") -> str:
        status, text = self.tries(group, *arguments, answer=answer)
        assert status == 0, text
        return text

    def enrol(self, *options: object, answer: str = "") -> tuple[int, str]:
        words = ("enrol", "north", "--request", self.request, "--out", self.welcome)
        return self.tries("coordinator", *words, *options, answer=answer)

    @property
    def enrolled(self) -> bool:
        return bool(members(Home(self.coordinator)))

    @property
    def joined(self) -> bool:
        return (self.site / "ca.crt").exists()


@pytest.fixture
def people(tmp_path: Path) -> People:
    return People(tmp_path)


def digits(text: str, after: str) -> str:
    """Return the fingerprint after a word."""
    return text.partition(after)[2].strip()[: 16 * 5 - 1]


def test_both_sides_see_the_same_fingerprints_and_nothing_happens_before_they_say_so(
    people: People,
) -> None:
    of_site = digits(people.site_init, "Its fingerprint:")
    of_authority = digits(people.init, "Authority")
    status, shown = people.enrol(answer="n\n")
    assert (status, of_site in shown, people.enrolled) == (0, True, False)
    assert not people.welcome.exists()
    status, shown = people.enrol(answer="y\n")
    assert (status, of_authority in shown, people.enrolled) == (0, True, True)
    status, shown = people.tries("site", "join", people.welcome, answer="n\n")
    assert (status, of_authority in shown, people.joined) == (0, True, False)
    assert people.tries("site", "join", people.welcome, answer="y\n")[0] == 0
    assert people.joined


def test_a_script_compares_fingerprints_or_says_yes(people: People) -> None:
    of_site = digits(people.site_init, "Its fingerprint:")
    status, text = people.enrol("--fingerprint", "0000 " + of_site[5:])
    assert (status, people.enrolled) == (7, False)
    assert of_site in text
    assert people.enrol("--fingerprint", of_site.replace(" ", ":").upper())[0] == 0
    shown = json.loads(people.does("site", "join", people.welcome, "--json"))
    assert (shown["joined"], people.joined) == (False, False)
    assert people.tries("site", "join", people.welcome, "--fingerprint", of_site)[0] == 7
    joined = people.does("site", "join", people.welcome, "--fingerprint", shown["authority"])
    assert "connects to fl.example.org" in joined
    assert people.joined


def test_a_question_without_an_answer_is_an_error_that_says_what_to_give(people: People) -> None:
    status, text = people.enrol()
    assert (status, people.enrolled) == (2, False)
    assert "Nobody answered" in text
    assert "--yes" in text


def test_each_init_says_what_comes_next(people: People) -> None:
    assert "Next: `fedscan coordinator enrol" in people.init
    assert "`fedscan site join welcome-north.json`" in people.site_init
    status, text = people.enrol("--yes")
    assert (status, "Next: send" in text) == (0, True)
    joined = people.does("site", "join", people.welcome, "--yes")
    assert "Next: `fedscan site add-data" in joined
