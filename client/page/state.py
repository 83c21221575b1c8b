"""What the page shows without being asked: a home as it is now, as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from ...common.audit.following import newest_entries
from ...errors import FedscanError
from ...federation.pki.enrolment import EnrolmentRequest
from ..daemon.overview import overview
from ..site import study_keys
from ..steward.approvals import Approvals
from ..steward.budgets import budget_of
from ..steward.data_sets import Registry
from ..steward.gate_log import gate_log
from ..steward.home import SiteHome
from ..steward.opt_outs import require_list
from ..steward.policies import policies_in_force
from .audit_words import in_words

#: Newest lines of each list; `fedscan site audit` has all of them.
_NEWEST = 100


def state(home: SiteHome) -> dict[str, Any]:
    """Return everything that is shown; what cannot be read says why in its place."""
    values: dict[str, Any] = {
        "overview": _or_problem(lambda: overview(home)),
        "folder": home.folder,
        "fingerprint": _or_problem(lambda: _fingerprint(home)),
        "waiting": _or_problem(lambda: _waiting(home)),
        "data": _or_problem(lambda: _data_sets(home)),
        "policies": _or_problem(lambda: policies_in_force(home)),
        "gate": _or_problem(lambda: _gate(home)),
        "optOuts": _or_problem(lambda: _opt_outs(home)),
        "audit": _or_problem(lambda: _audit(home)),
    }
    # JSON has no epsilon without bound: the page shows a dash.
    plain: dict[str, Any] = to_jsonable_python(values, inf_nan_mode="null")
    return plain


def marks(home: SiteHome) -> list[tuple[str, int, int]]:
    """Return names, times and sizes of the files that the state is made of: its cheap digest."""
    entries = []
    for path in sorted(_files(home)):
        try:
            status = path.stat()
        except OSError:
            continue  # gone since
        entries.append((str(path), status.st_mtime_ns, status.st_size))
    return entries


def _files(home: SiteHome) -> Iterator[Path]:
    yield from home.folder.glob("*")
    for pattern in ("pending/*", "approvals/*", "declined/*", "run/*", "data/*/policy.toml"):
        yield from home.folder.glob(pattern)
    yield from home.folder.glob("data/*/ledger/*")
    yield from study_keys(home.folder).glob("*")


def _or_problem(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except FedscanError as failure:
        return {"problem": failure.message, "hint": failure.hint}


def _fingerprint(home: SiteHome) -> str:
    content = home.request.read_bytes() if home.request.exists() else b""
    return EnrolmentRequest.from_json(content).fingerprint if content else ""


def _waiting(home: SiteHome) -> list[dict[str, Any]]:
    return [
        {"study": one.digest, "name": one.name, "rounds": one.rounds, "base": one.base}
        for one in Approvals(home).pending()
    ]


def _data_sets(home: SiteHome) -> list[dict[str, Any]]:
    return [
        {"entry": entry, "budget": _or_problem(partial(budget_of, home, name))}
        for name, entry in sorted(Registry(home).data_sets().items())
    ]


def _gate(home: SiteHome) -> dict[str, Any]:
    log = gate_log(home)
    return {
        "requests": log.requests,
        "left": len(log.departures),
        "refusals": log.refusals,
        "departures": [
            {**asdict(one), "words": one.words} for one in log.departures[-_NEWEST:][::-1]
        ],
    }


def _audit(home: SiteHome) -> list[dict[str, Any]]:
    entries = newest_entries(home.log, _NEWEST)[::-1]
    return [{**asdict(entry), "words": in_words(entry)} for entry in entries]


def _opt_outs(home: SiteHome) -> dict[str, Any]:
    patients = require_list(home).patients
    times: dict[str, int] = {}
    for one in patients:
        times[one.time] = times.get(one.time, 0) + 1
    return {"total": len(patients), "added": times}
