"""A site that answers message after message in one process: real processes, and Flower's own API.

What decides about an answer may change between two messages, and the worker may be killed at any
moment: it must answer, refuse and pay as a process for each message would.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.client.policy import load_policy, write_policy
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.steward.opt_outs import add_opt_outs
from fedscan.client.steward.pausing import pause, resume
from fedscan.common.audit import AuditLog, verify
from fedscan.federation.protocol import RoundReply, RoundRequest, tensors_digest
from flwr.common.constant import SubStatus
from on_import import path_with
from site_homes import OPEN, invitation_of, make_home, purposes
from site_node import SiteNode, lives

pytestmark = pytest.mark.real_processes

FAULTS = Path(__file__).parent / "faults"
LIMIT_S = 300.0
PRIVATE = ("privacy.sample_rate=0.9", "local.steps=2")

MakeRequest = Callable[..., RoundRequest]


def until(condition: Callable[[], object], home: SiteHome) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        log = home.folder / "superexec.log"
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


def reply(node: SiteNode, request: RoundRequest) -> RoundReply:
    return RoundReply.from_records(node.ask(request.to_records()).content)


def worker(node: SiteNode) -> int:
    """Return the process that answers; there is one."""
    (pid,) = node.apps
    return pid


def make(folder: Path, base: Path) -> SiteHome:
    home = make_home(folder, base)
    write_policy(home.policy, replace(OPEN, max_sample_rate=1.0))
    return home


@pytest.fixture
def home(tmp_path: Path, base: Path) -> SiteHome:
    return make(tmp_path, base)


def processes_of_their_own(home: SiteHome, folder: Path) -> SiteHome:
    """Return a copy of a site with the same secrets, whose messages have processes of their own."""
    shutil.copytree(home.folder, folder, ignore=shutil.ignore_patterns("answers", "*.log"))
    copy = SiteHome.open(folder)
    copy.change_settings(warm_minutes=0)
    return copy


def test_one_process_answers_with_the_bytes_of_processes_of_their_own(
    home: SiteHome, make_request: MakeRequest, tmp_path: Path
) -> None:
    requests = [make_request(*PRIVATE, number=number, fill=0.01 * number) for number in (1, 2)]
    Approvals(home).approve(invitation_of(requests[0]), "chest")
    with SiteNode(home) as node:
        warm = [reply(node, request) for request in (*requests, requests[0])]
        answered = worker(node)
        assert reply(node, requests[1]).code == "ok"
        assert worker(node) == answered
    until(lambda: not lives(answered), home)
    copy = processes_of_their_own(home, tmp_path / "copy")
    with SiteNode(copy) as node:
        cold = []
        for request in (*requests, requests[0]):
            cold.append(reply(node, request))
            until(lambda: not node.apps, copy)
    assert [one.code for one in (*warm, *cold)] == ["ok"] * 6
    digests = [tensors_digest(one.tensors) for one in (*warm, *cold)]
    assert digests[:3] == digests[3:]
    assert digests[0] == digests[2] != digests[1]
    for site in (home, copy):
        assert purposes(site) == ["patient count", "round 1", "round 2"]
        verify(site.audit)


@pytest.mark.parametrize("moment", ["before", "in", "after"])
def test_a_worker_that_is_killed_pays_once_and_its_successor_has_the_same_bytes(
    home: SiteHome, make_request: MakeRequest, tmp_path: Path, moment: str
) -> None:
    first, second = (make_request(*PRIVATE, number=n, fill=0.01 * n) for n in (1, 2))
    Approvals(home).approve(invitation_of(first), "chest")
    armed = tmp_path / "armed"
    environment = {"PYTHONPATH": path_with(FAULTS), "DIES_AT": moment, "ARMED": str(armed)}
    with SiteNode(home, environment) as node:
        assert reply(node, first).code == "ok"
        killed = worker(node)
        armed.touch()
        node.put(second.to_records())
        until(lambda: not lives(killed), home)
        assert not armed.exists()
        # As Flower does when a minute has passed without a sign of life.
        (task,) = node.state.get_tasks(statuses=("pending", "starting", "running"))
        node.state.finish_task(task.task_id, SubStatus.FAILED, "")
        assert node.get().has_error()
        again = reply(node, second)
        assert worker(node) != killed
    copy = processes_of_their_own(home, tmp_path / "copy")
    with SiteNode(copy) as node:
        undisturbed = reply(node, second)
    assert (again.code, undisturbed.code) == ("ok", "ok")
    assert tensors_digest(again.tensors) == tensors_digest(undisturbed.tensors)
    for site in (home, copy):
        assert purposes(site) == ["patient count", "round 1", "round 2"]
        verify(site.audit)


def test_a_worker_that_does_not_stir_is_replaced(home: SiteHome, make_request: MakeRequest) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    with SiteNode(home) as node:
        assert reply(node, request).code == "ok"
        halted = worker(node)
        os.kill(halted, signal.SIGSTOP)
        assert reply(node, request).code == "ok"
        assert worker(node) != halted
        assert not lives(halted)


def test_without_a_worker_the_answer_is_computed_by_a_program_of_its_own(
    home: SiteHome, make_request: MakeRequest, tmp_path: Path
) -> None:
    """Another release is installed meanwhile: nothing that is running may answer."""
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    release = tmp_path / "release"
    release.write_text("1.0")
    environment = {"PYTHONPATH": path_with(FAULTS), "RELEASE": str(release)}
    with SiteNode(home, environment) as node:
        first = reply(node, request)
        outdated = worker(node)
        release.write_text("2.0")
        again = reply(node, request)
        assert not lives(outdated)
        until(lambda: not node.apps, home)
    assert (first.code, again.code) == ("ok", "ok")
    assert tensors_digest(first.tensors) == tensors_digest(again.tensors)
    assert purposes(home) == ["patient count", "round 1"]


@contextmanager
def paused(home: SiteHome, request: RoundRequest) -> Iterator[None]:
    pause(home)
    try:
        yield
    finally:
        resume(home)


@contextmanager
def withdrawn(home: SiteHome, request: RoundRequest) -> Iterator[None]:
    Approvals(home).withdraw(request.study())
    try:
        yield
    finally:
        Approvals(home).approve(invitation_of(request), "chest")


@contextmanager
def stricter(home: SiteHome, request: RoundRequest) -> Iterator[None]:
    before = load_policy(home.policy)
    write_policy(home.policy, replace(before, min_patients=5))
    try:
        yield
    finally:
        write_policy(home.policy, before)


@contextmanager
def another_base(home: SiteHome, request: RoundRequest) -> Iterator[None]:
    """One byte of a configuration that decides about results is another one; no size is."""
    file = Path(home.settings().base) / "scheduler" / "scheduler_config.json"
    before = file.read_bytes()
    assert b'"num_train_timesteps": 1000' in before
    changed = before.replace(b'"num_train_timesteps": 1000', b'"num_train_timesteps": 1001')
    times = file.stat()
    file.write_bytes(changed)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    try:
        yield
    finally:
        file.write_bytes(before)


@contextmanager
def lost_ledger(home: SiteHome, request: RoundRequest) -> Iterator[None]:
    ledger = home.state("chest") / "ledger"
    ledger.rename(ledger.with_name("aside"))
    try:
        yield
    finally:
        shutil.rmtree(ledger, ignore_errors=True)
        ledger.with_name("aside").rename(ledger)


@contextmanager
def folder_gone(home: SiteHome, request: RoundRequest) -> Iterator[None]:
    scans = home.folder.parent / "scans"
    scans.rename(scans.with_name("away"))
    try:
        yield
    finally:
        scans.with_name("away").rename(scans)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, base: Path) -> SiteHome:
    folder = tmp_path_factory.mktemp("standing")
    shutil.copytree(base, folder / "base")
    return make(folder, folder / "base")


@pytest.fixture(scope="module")
def node(standing: SiteHome) -> Iterator[SiteNode]:
    with SiteNode(standing) as made:
        yield made


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (paused, "paused"),
        (withdrawn, "not-approved"),
        (stricter, "privacy"),
        (another_base, "model"),
        (lost_ledger, "ledger"),
        (folder_gone, "data"),
    ],
)
def test_a_change_between_two_messages_decides_about_the_second(
    standing: SiteHome,
    node: SiteNode,
    make_request: MakeRequest,
    change: Callable[[SiteHome, RoundRequest], object],
    code: str,
) -> None:
    request = make_request(*PRIVATE)
    Approvals(standing).approve(invitation_of(request), "chest")
    assert reply(node, request).code == "ok"
    answered = worker(node)
    with change(standing, request):
        assert reply(node, request).code == code
        # It was the warm worker that refused, and nothing of its state goes on.
        until(lambda: not (lives(answered) or node.apps), standing)
    assert reply(node, request).code == "ok"
    assert AuditLog(standing.audit).entries()[-1].event == "answered"


def kept(home: SiteHome) -> int:
    """Count the files that are kept of the study's patients."""
    return len(list((home.state("chest") / "cache" / "studies").rglob("*.safetensors")))


def test_patients_who_leave_between_two_messages_are_in_no_later_round(
    home: SiteHome, make_request: MakeRequest
) -> None:
    requests = [make_request(*PRIVATE, number=number) for number in (1, 2)]
    Approvals(home).approve(invitation_of(requests[0]), "chest")
    with SiteNode(home) as node:
        assert reply(node, requests[0]).code == "ok"
        answered = worker(node)
        whole = kept(home)
        add_opt_outs(home, ["chest-1"])
        for scan in (home.folder.parent / "scans" / "chest").glob("0-*.dcm"):
            scan.unlink()
        assert reply(node, requests[1]).code == "ok"
        assert worker(node) == answered
        assert 0 < kept(home) == whole // 2


def test_a_daemons_sudden_death_leaves_no_worker(home: SiteHome, make_request: MakeRequest) -> None:
    request = make_request()
    Approvals(home).approve(invitation_of(request), "chest")
    with SiteNode(home) as node:
        assert reply(node, request).code == "ok"
        answered = worker(node)
        node.superexec.kill()
        node.superexec.wait()
        until(lambda: not lives(answered), home)
        node.begin()
        assert reply(node, request).code == "ok"
    assert purposes(home) == ["patient count", "round 1"]
