"""What a site with a home lets in and out: the real ClientApp, asked by anybody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from fedscan.client.policy import SitePolicy, write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.common.audit import AuditLog, verify
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from site_homes import OPEN, invitation_of, purposes

Ask = Callable[..., RoundReply]
Make = Callable[..., RoundRequest]


def approve(home: SiteHome, request: RoundRequest) -> None:
    Approvals(home).approve(invitation_of(request), "chest")


def test_nothing_is_approved_beforehand_and_what_asks_is_kept(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request()
    assert ask(request).code == "not-approved"
    (waiting,) = Approvals(home).pending()
    assert waiting.digest == request.study()
    assert not (home.state("chest") / "ledger").exists()
    assert [entry.event for entry in AuditLog(home.audit).entries()][-2:] == ["asked", "refused"]


def test_an_approved_round_is_answered_once_paid_and_on_record(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request()
    approve(home, request)
    assert Approvals(home).pending() == []
    reply = ask(request)
    assert (reply.code, reply.site) == ("ok", "north")
    verify(home.audit)
    asked, answered = AuditLog(home.audit).entries()[-2:]
    assert (asked.event, asked.facts["round"], asked.facts["rounds"]) == ("asked", 1, 2)
    assert answered.facts["request"] == asked.facts["request"] == request.digest()
    left = {name: (dtype, tuple(shape)) for name, dtype, shape, _ in answered.facts["tensors"]}
    assert left == {name: (a.dtype.name, a.shape) for name, a in reply.tensors.items()}
    assert answered.facts["norm"] <= OPEN.max_update_norm
    # Asked again, it is the same answer and costs nothing.
    assert tensors_digest(ask(request).tensors) == tensors_digest(reply.tensors)
    assert purposes(home) == ["patient count", "round 1"]


@pytest.mark.parametrize(
    "change",
    ["federation.rounds=3", "privacy.epsilon=9", "local.steps=2", "privacy.clip_norm=2.0"],
)
def test_another_study_than_the_approved_one_gets_nothing(
    home: SiteHome, ask: Ask, make_request: Make, change: str
) -> None:
    approve(home, make_request())
    assert ask(make_request(change)).code == "not-approved"


def test_a_round_beyond_those_approved_gets_nothing(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request()
    approve(home, request)
    assert ask(replace(request, round=3)).code == "protocol"
    codes = [ask(make_request(fill=fill)).code for fill in (0.01, 0.02, 0.03)]
    assert codes == ["ok", "ok", "budget-exceeded"]
    assert purposes(home) == ["patient count", "round 1", "round 1"]


def test_a_withdrawn_approval_holds_no_more(home: SiteHome, ask: Ask, make_request: Make) -> None:
    request = make_request()
    approve(home, request)
    Approvals(home).withdraw(request.study())
    assert ask(request).code == "not-approved"


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (replace(OPEN, data_sets=("head",)), "privacy"),
        (replace(OPEN, min_noise_multiplier=100.0), "privacy"),
        (replace(OPEN, hours="00:00-00:00"), "ok"),
        (replace(OPEN, max_update_norm=1e-6), "egress"),
    ],
)
def test_the_policy_has_the_last_word(
    home: SiteHome, ask: Ask, make_request: Make, policy: SitePolicy, code: str
) -> None:
    request = make_request()
    approve(home, request)
    write_policy(home.policy, policy)
    reply = ask(request)
    assert reply.code == code
    assert bool(reply.tensors) == (code == "ok")


@pytest.mark.parametrize("allowed", [True, False])
def test_the_graphics_processor_is_used_only_where_the_policy_allows_it(
    home: SiteHome,
    ask: Ask,
    make_request: Make,
    allowed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = make_request()
    approve(home, request)
    home.change_settings(device="cuda")
    # PyTorch says that there is one; that the generator cannot be moved there is found out later.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    write_policy(home.policy, replace(OPEN, allow_gpu=allowed))
    assert ask(request).code == ("model" if allowed else "configuration")
    assert not (home.state("chest") / "ledger").exists()
    if not allowed:
        home.change_settings(device="auto")
        assert ask(request).code == "ok"


def test_an_apps_process_takes_no_more_than_the_policy_allows(home: SiteHome) -> None:
    write_policy(home.policy, replace(OPEN, cpu_threads=1, memory_gb=1.5))
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(home.folder)], capture_output=True, text=True
    )
    assert done.stdout.split() == ["1", "small:fits", "large:MemoryError"], done.stderr


_LIMITED = """
import sys
from pathlib import Path

import numpy as np
from fedscan.client.daemon.clientapp import limit
from fedscan.client.steward.home import SiteHome

limit(SiteHome.open(Path(sys.argv[1])))
import torch

print(torch.get_num_threads())
np.ones(100_000_000, np.uint8)
print("small:fits")
try:
    np.ones(2_000_000_000, np.uint8)
except MemoryError:
    print("large:MemoryError")
"""


def test_a_data_sets_own_policy_goes_first(home: SiteHome, ask: Ask, make_request: Make) -> None:
    request = make_request()
    approve(home, request)
    write_policy(home.state("chest") / "policy.toml", replace(OPEN, min_patients=5))
    assert ask(request).code == "privacy"


def test_a_paused_site_says_so(home: SiteHome, ask: Ask, make_request: Make) -> None:
    request = make_request()
    approve(home, request)
    home.pause_file.touch()
    assert ask(request).code == "paused"


def test_a_damaged_approval_is_no_approval(home: SiteHome, ask: Ask, make_request: Make) -> None:
    request, other = make_request(), make_request("privacy.epsilon=9")
    approve(home, request)
    (file,) = home.approvals.iterdir()
    # Somebody renames an approval to that of another study.
    file.rename(home.approvals / f"{other.study()}.json")
    assert ask(other).code == "configuration"


def test_statistics_are_given_once(home: SiteHome, ask: Ask, make_request: Make) -> None:
    request = replace(make_request("privacy.statistics_share=0.1"), round=0, tensors={})
    approve(home, request)
    assert ask(request, "query.statistics").code == "ok"
    assert ask(request, "query.statistics").code == "ok"
    again = replace(request, tensors=make_request().tensors)
    assert ask(again, "query.statistics").code == "budget-exceeded"
    assert purposes(home) == ["statistics"]


def test_when_the_audit_log_takes_nothing_nothing_leaves(
    home: SiteHome, ask: Ask, make_request: Make
) -> None:
    request = make_request()
    approve(home, request)
    lines = home.audit.read_text().splitlines()
    changed = {**json.loads(lines[-1]), "event": "nothing-happened"}
    home.audit.write_text("\n".join([*lines[:-1], json.dumps(changed)]) + "\n")
    assert ask(request).code == "audit"
    assert not (home.state("chest") / "ledger").exists()
