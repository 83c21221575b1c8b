"""The node and the processes of its apps take no code, and no kind of task, from a coordinator."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fedscan.client.app import app
from fedscan.client.daemon.clientapp import check_outgoing, load_app
from fedscan.client.daemon.marks import HOME_VARIABLE, OWN, REFUSED
from fedscan.client.daemon.superexec import ForkingExecutor, arguments
from fedscan.client.daemon.supernode import guard, with_patience
from fedscan.client.steward.enrolment import init_site
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.common.audit import AuditLog
from fedscan.errors import EgressError
from fedscan.federation.bundle import build_bundle, bundle_hash
from fedscan.federation.protocol import RoundReply
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.supercore.constant import TaskType
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResultStatus
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.cli.flwr_clientapp import _parse_args_run_flwr_clientapp
from flwr.supernode.nodestate import NodeStateFactory


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteHome:
    init_site(tmp_path / "north", SiteSettings(name="north"))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "north"))
    return SiteHome.open(tmp_path / "north")


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Flower's process sets before it runs an app."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 7)


def connected(home: SiteHome, run: Run):
    """Return what the node gets of a run: the run, and its bundle."""

    def never(fab_hash: str, run_id: int) -> None:
        raise AssertionError("the coordinator was asked for its bundle")

    @contextmanager
    def connect(address: str):
        yield (1, None, None, lambda run_id: run, never, None, None, None)

    with guard(connect, home)("coordinator") as parts:
        got = parts[3](run.run_id)
        return got, parts[4](got.fab_hash, run.run_id)


def make_run(fab_hash: str, **values: object) -> Run:
    return replace(Run.create_empty(7), fab_id="a/b", fab_hash=fab_hash, **values)


def test_the_sites_own_bundle_is_run(home: SiteHome) -> None:
    run, fab = connected(home, make_run(bundle_hash()))
    assert (run.fab_id, run.fab_hash, fab.content) == (OWN, bundle_hash(), build_bundle())
    assert load_app(run.fab_id, run.fab_version, run.fab_hash) is app
    assert "bundle-refused" not in [one.event for one in AuditLog(home.audit).entries()]


def test_another_bundle_is_marked_and_never_fetched(home: SiteHome) -> None:
    run, fab = connected(home, make_run("0" * 64))
    assert (run.fab_id, fab.content) == (REFUSED, build_bundle())
    refused = AuditLog(home.audit).entries()[-1]
    assert (refused.event, refused.facts) == ("bundle-refused", {"run": 7, "hash": "0" * 64})


def test_a_refused_run_is_answered_with_a_code(home: SiteHome) -> None:
    message = Message(RecordDict(), 1, "train")
    context = Context(7, 1, {"home": str(home.folder)}, RecordDict(), {})
    reply = load_app(REFUSED, "", "")(message, context)
    assert RoundReply.from_records(reply.content).code == "not-approved"


def test_a_coordinator_chooses_neither_the_kind_of_task_nor_its_settings(home: SiteHome) -> None:
    hostile = make_run(
        bundle_hash(), primary_task_type="flwr-agentapp", override_config={"home": "/elsewhere"}
    )
    run, _ = connected(home, hostile)
    assert (run.primary_task_type, run.override_config) == ("", {})


def test_a_hash_that_is_no_hash_is_not_put_on_record(home: SiteHome) -> None:
    connected(home, make_run("Doe^Jane"))
    assert AuditLog(home.audit).entries()[-1].facts["hash"] == ""


def test_an_errors_words_do_not_leave() -> None:
    asked = Message(RecordDict(), 1, "train")
    error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "/scans/Doe^Jane.dcm")
    message = Message(error, reply_to=asked)
    check_outgoing(message)
    assert message.error.reason == ""


def test_what_is_no_answer_does_not_leave() -> None:
    message = Message(RecordDict({"batch": ConfigRecord({"pixel": 4095})}), 1, "train")
    with pytest.raises(EgressError):
        check_outgoing(message)


def test_an_apps_process_has_minutes_to_start() -> None:
    state = NodeStateFactory(ObjectStoreFactory()).state()
    task = state.create_task(task_type="flwr-clientapp", run_id=7)
    assert with_patience(type(state).claim_task)(state, task)
    left = state.task_token_store[task].active_until - datetime.now(UTC)
    assert left > timedelta(minutes=4)
    assert with_patience(type(state).claim_task)(state, task) is None


def make_spec(kind: TaskType) -> ExecutionSpec:
    return ExecutionSpec(
        task_type=kind,
        runtime_api_address="127.0.0.1:9094",
        token="token",
        insecure=True,
        root_certificates_path=None,
        runtime_dependency_install=True,
        parent_pid=7,
        suppress_output=False,
        task_id=1,
    )


@pytest.mark.parametrize("kind", sorted(set(TaskType) - {TaskType.CLIENT_APP}))
def test_no_other_kind_of_task_is_run(kind: TaskType) -> None:
    assert ForkingExecutor().launch(make_spec(kind)).status is LaunchResultStatus.FAILED


def test_flower_understands_what_its_process_is_told_and_nothing_is_installed() -> None:
    parser = _parse_args_run_flwr_clientapp()
    found = parser.parse_args(arguments(make_spec(TaskType.CLIENT_APP)))
    assert (found.runtime_api_address, found.token) == ("127.0.0.1:9094", "token")
    assert (found.insecure, found.parent_pid) == (True, 7)
    assert not found.runtime_dependency_install
