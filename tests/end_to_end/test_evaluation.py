"""Whether a model becomes better, told across real processes: scored at sites, summed outside."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from comparing import seen
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import verify
from fedscan.model.storage import generator_digest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from loopback import LIMIT_S, Federation, free_port, until

pytestmark = pytest.mark.real_processes

#: More than elsewhere: noise would cover one or two held-out patients.
SITES = {"north": 14, "south": 12}
#: What a release may cost by itself: the most that the command takes, for the same reason.
EPSILON = "10"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    if NGINX is None:
        pytest.skip("nginx is not installed (apt install nginx-light)")
    made = Federation(tmp_path / "federation", sites=SITES)
    yield made
    made.stop()


def program(*words: object) -> list[str]:
    return [sys.executable, "-c", "from fedscan.cli.main import run; run()", *map(str, words)]


def run(*words: object, status: int = 0) -> str:
    """Run a command as a process of its own; return what it printed."""
    done = subprocess.run(
        program(*words), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if status == 0 else done.stderr


def evaluate(federation: Federation, site: str, generator: Path, *more: str) -> dict[str, Any]:
    home = ("--home", federation.site(site))
    found: dict[str, Any] = json.loads(
        run("site", "evaluate", generator, "--study", "scored", *home, "--json", *more)
    )
    return found


def released(federation: Federation, site: str, generator: Path) -> Path:
    found = evaluate(federation, site, generator, "--release", "--epsilon", EPSILON)
    return Path(found["released"])


@contextmanager
def dashboard(federation: Federation) -> Iterator[str]:
    port = free_port()
    words = ("coordinator", "dashboard", "scored", "--home", federation.home.root, "--port", port)
    page = subprocess.Popen(program(*words), stdin=subprocess.DEVNULL, env={**os.environ})
    try:
        yield f"http://127.0.0.1:{port}/state.json"
    finally:
        page.terminate()
        page.wait(LIMIT_S)


def state(address: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return dict(json.loads(answer.read()))
    except OSError:
        return None


def paid(federation: Federation, site: str) -> list[str]:
    ledger = LedgerView.read(federation.site(site) / "data" / "chest" / "ledger")
    return [one.record.purpose for one in ledger.entries if isinstance(one.record, Reserve)]


def test_sites_score_release_and_the_coordinator_sums_while_everything_runs(
    federation: Federation, tmp_path: Path
) -> None:
    study = federation.submit("scored", "data.holdout_fraction=0.5")
    federation.start()
    federation.finish(study)
    home = ("--home", federation.home.root)
    first = tmp_path / "round-1"
    run("coordinator", "checkpoint", "scored", "--round", "1", "--out", first, *home)
    generators = {1: first, 2: study.root / "generator"}
    assert generator_digest(first) != generator_digest(generators[2])

    # Exact scores stay, cost nothing, and nothing leaves as long as the policy says so.
    before = {site: paid(federation, site) for site in SITES}
    exact = {site: evaluate(federation, site, first) for site in SITES}
    said = run(
        *("site", "evaluate", first, "--study", "scored", "--release"),
        *("--home", federation.site("north")),
        status=5,
    )
    assert "release_scores = true" in said
    assert {site: paid(federation, site) for site in SITES} == before

    # What the hint says: allowed by the policy, and paid for once.
    for site in SITES:
        policy = SiteHome.open(federation.site(site)).policy
        text = policy.read_text()
        assert "release_scores = false" in text
        policy.write_text(text.replace("release_scores = false", "release_scores = true"))
    files = {
        (site, number): released(federation, site, generator)
        for site in SITES
        for number, generator in generators.items()
    }
    again = released(federation, "north", first)
    assert again.read_bytes() == files["north", 1].read_bytes()
    for site in SITES:
        assert paid(federation, site) == [*before[site], "scores", "scores"]

    # A file that was changed on its way, or that another site is said to have signed.
    forged = tmp_path / "forged.json"
    forged.write_text(files["north", 1].read_text().replace('"north"', '"south"'))
    run("coordinator", "scores", "scored", forged, *home, status=7)

    with dashboard(federation) as address:
        until(lambda: state(address), "the dashboard")
        rounds = json.loads(
            run("coordinator", "scores", "scored", *files.values(), "--json", *home)
        )["rounds"]
        check_sums(files, rounds)
        shown = state(address)
        assert shown is not None
        assert [(one["round"], one["sites"]) for one in shown["scores"]] == [
            (1, sorted(SITES)),
            (2, sorted(SITES)),
        ]
        assert [one["better"] for one in shown["scores"]] == [one["better"] for one in rounds]

    # The numbers that left are not those that stayed.
    for site in SITES:
        left = json.loads(files[site, 1].read_text())["content"]
        kept = json.loads(Path(exact[site]["exact"]).read_text())
        assert left["deviation"] > 0
        assert left["numbers"] != kept["numbers"]
        assert sum(kept["numbers"][:6]) == exact[site]["patients"] > 0
        verify(federation.site(site) / "audit.jsonl")
        status = json.loads(run("site", "status", "--json", "--home", federation.site(site)))
        (data,) = status["data_sets"]
        assert not data.get("problem")
    assert seen(federation, study)["scores-received"] == 4

    # Sites and coordinator go on as before: the coordinator signs what was spent, and nobody is
    # taken for a second copy.
    following = federation.submit("following", "federation.rounds=1")
    federation.finish(following)
    shutil.rmtree(first)


def check_sums(
    files: dict[tuple[str, int], Path],
    rounds: list[dict[str, Any]],
) -> None:
    """The coordinator's numbers are the sums of those in the files, with one best and one last."""
    assert [one["round"] for one in rounds] == [1, 2]
    for one in rounds:
        assert one["sites"] == sorted(SITES)
        reports = [json.loads(files[site, one["round"]].read_text())["content"] for site in SITES]
        fits = [sum(column) for column in zip(*(each["numbers"] for each in reports), strict=True)]
        if one["better"] is None:
            # Noise may cover so few patients, and then it must.
            deviation = math.hypot(*(each["deviation"] for each in reports))
            assert sum(fits[:6]) <= 2 * deviation * math.sqrt(6)
        else:
            share = min(max(sum(fits[:3]) / sum(fits[:6]), 0.0), 1.0)
            assert one["better"]["value"] == pytest.approx(share)
            assert one["better"]["low"] < one["better"]["high"]
    if any(one["better"] for one in rounds):
        assert [one["is_last"] for one in rounds].count(True) == 1
        assert [one["is_best"] for one in rounds].count(True) == 1
