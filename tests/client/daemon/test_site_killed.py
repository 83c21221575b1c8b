"""A site that is killed over a round: it pays once, and its answer is the same to the byte."""

from __future__ import annotations

import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import verify
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from fedscan.privacy.ledger.entries import Reserve
from fedscan.privacy.ledger.view import LedgerView
from site_homes import invitation_of

ASK_SITE = Path(__file__).parents[2] / "helpers" / "ask_site.py"


def kill_over(home: SiteHome, request: Path, moment: str) -> int:
    """Ask a site in a process that dies over it; return how it died."""
    command = [sys.executable, str(ASK_SITE), str(home.folder), str(request), moment]
    return subprocess.run(command, check=False, timeout=900).returncode


@pytest.mark.parametrize("moment", ["before", "in", "after"])
def test_a_killed_round_is_repeated_for_nothing_and_to_the_byte(
    home: SiteHome,
    ask: Callable[..., RoundReply],
    make_request: Callable[..., RoundRequest],
    tmp_path: Path,
    moment: str,
) -> None:
    request = make_request("privacy.sample_rate=0.9", "local.steps=3")
    Approvals(home).approve(invitation_of(request), "chest")
    # As a hospital's policy would not: all of four patients in nearly every step.
    text = home.policy.read_text()
    home.policy.write_text(text.replace("max_sample_rate = 0.5", "max_sample_rate = 1.0"))
    asked = tmp_path / "request.pickle"
    asked.write_bytes(pickle.dumps(request.to_records()))
    assert kill_over(home, asked, moment) == -signal.SIGKILL
    # A second site with the same secrets, which nobody asks twice.
    shutil.copytree(home.folder, tmp_path / "other", ignore=shutil.ignore_patterns("answers"))
    other = SiteHome.open(tmp_path / "other")
    replies = [ask(request), ask(request, at=other), ask(request)]
    assert [reply.code for reply in replies] == ["ok"] * 3
    assert len({tensors_digest(reply.tensors) for reply in replies}) == 1
    for site in (home, other):
        ledger = LedgerView.read(site.state("chest") / "ledger")
        paid = [one.record.purpose for one in ledger.entries if isinstance(one.record, Reserve)]
        assert paid == ["patient count", "round 1"]
        verify(site.audit)
