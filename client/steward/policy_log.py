"""What a policy's changes leave in the audit log: they are made by hand, with any editor."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from ..policy import SitePolicy, load_policy
from .home import SiteHome

#: The event, and what of it a search in the log's text finds.
EVENT = "policy-changed"
_FOUND_BY = f'"{EVENT}"'.encode()
_ADAPTER = TypeAdapter(SitePolicy)


def note_policies(home: SiteHome) -> None:
    """Put on record each policy of a site that is not as it was last on record.

    Before the first record a policy is compared with the one that ``site init`` writes.

    Args:
        home: The site's home.

    Raises:
        AuditError: If the disk does not take it.
        ConfigurationError: If a policy cannot be read.
    """
    paths = {"": home.policy}
    paths |= {path.parent.name: path for path in sorted(home.folder.glob("data/*/policy.toml"))}
    recorded_values = _on_record(home)
    for data_set, path in paths.items():
        values = _plain(load_policy(path))
        before = recorded_values.get(data_set, _plain(SitePolicy()))
        differences = sorted(key for key in values if values[key] != before.get(key))
        if differences:
            home.log.append(EVENT, data_set=data_set, changed=differences, policy=values)


def _on_record(home: SiteHome) -> dict[str, dict[str, Any]]:
    """Return the newest values of each policy on record, by its data set; empty for the site's."""
    newest: dict[str, dict[str, Any]] = {}
    for entry in home.log.newest_first(_FOUND_BY):
        if entry.event == EVENT:
            newest.setdefault(str(entry.facts["data_set"]), dict(entry.facts["policy"]))
    return newest


def _plain(policy: SitePolicy) -> dict[str, Any]:
    """Return a policy as it stands in the log: as JSON, which has no tuples."""
    values: dict[str, Any] = json.loads(_ADAPTER.dump_json(policy))
    return values
