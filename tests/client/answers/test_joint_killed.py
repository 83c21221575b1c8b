"""A site that dies at any write of a joint sum pays once, and opens one part for one roster."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from deaths import dies_at_write
from fedscan.client.answers.asked import Asked
from fedscan.client.answers.joint.ready import NewSum, begin, joint_plan
from fedscan.client.answers.joint.reveal import open_sum
from fedscan.client.border.egress import mask_sum
from fedscan.client.steward.admission import admit
from fedscan.client.workspace.participation import Participation
from fedscan.errors import RosterError
from fedscan.federation.joint.messages import RevealRequest
from fedscan.federation.protocol import SUM, tensors_digest
from fedscan.privacy.ledger import Reservation
from fedscan.privacy.ledger.view import LedgerView
from fedscan.privacy.stream import SecretStream
from joint_sites import JointSite, joint_site
from site_homes import purposes
from tiny_generators import save_tiny_generator


def _give(question: Asked, part: Participation, reveal: RevealRequest) -> np.ndarray:
    """Begin a sum and open it, as two messages do."""

    def compute(reservation: Reservation) -> np.ndarray:
        stream = SecretStream(reservation.secret, "training")
        return stream.integers(0, 2**32, 500).astype(np.uint32)

    share = joint_plan(question.request, question.terms).training.with_steps(1)
    begin(question, part, NewSum(shares=(share,), most=3, compute=compute))
    return mask_sum(open_sum(question, reveal), question).tensors[SUM]


@pytest.fixture
def site(tmp_path: Path) -> JointSite:
    """A site that has approved a joint study of four."""
    made = joint_site(tmp_path, save_tiny_generator(tmp_path / "base"))
    made.approve()
    return made


def test_whenever_it_dies_one_part_is_paid_for_and_leaves_in_one_form(site: JointSite) -> None:
    request = site.request()
    question = Asked.read(request, admit(site.home, request))
    part = Participation.open(request, question.terms, question.site)
    reveal = site.reveal(request)
    wide = site.reveal(request, ["east", "north", "south", "west"])
    for number in itertools.count(1):
        for folder in (site.state / "ledger", site.state / "sums", site.keys / "pairs"):
            shutil.rmtree(folder, ignore_errors=True)
        is_dead = dies_at_write(number, lambda: _give(question, part, reveal))
        on_record = _on_record(site)
        first, second = (_give(question, part, reveal) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert on_record in ("", tensors_digest({SUM: first}))
        assert purposes(site.home) == ["round 1 attempt 1"]
        with pytest.raises(RosterError):
            open_sum(question, wide)
        if not is_dead:
            break
    assert number > 15


def _on_record(site: JointSite) -> str:
    """Return the digest of what may have left before it died."""
    if not (site.state / "ledger" / "ledger.jsonl").exists():
        return ""
    entries = LedgerView.read(site.state / "ledger").book.reservations.values()
    return "".join(one.masked_sum for one in entries)
