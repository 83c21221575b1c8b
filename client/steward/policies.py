"""The policies of a site as they are in force, each setting with what it means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.toml_settings import settings
from ..policy import SitePolicy, load_policy
from .home import SiteHome


@dataclass(frozen=True, kw_only=True)
class PolicyValue:
    """One setting of a policy: its name, its value and what it means."""

    name: str
    value: Any
    meaning: str


@dataclass(frozen=True, kw_only=True)
class PolicyInForce:
    """One policy of a site.

    Attributes:
        data: The data set that it is for; empty for all that have none of their own.
        path: Its file, which people edit by hand.
        settings: All of its settings.
    """

    data: str
    path: Path
    settings: tuple[PolicyValue, ...]


def policies_in_force(home: SiteHome) -> tuple[PolicyInForce, ...]:
    """Return the site's policy, and those of data sets that have their own.

    Raises:
        ConfigurationError: If a policy cannot be read.
    """
    paths = {"": home.policy}
    paths |= {path.parent.name: path for path in sorted(home.folder.glob("data/*/policy.toml"))}
    return tuple(_in_force(name, path) for name, path in paths.items())


def _in_force(name: str, path: Path) -> PolicyInForce:
    policy = load_policy(path)
    return PolicyInForce(
        data=name,
        path=path,
        settings=tuple(
            PolicyValue(name=one.key, value=getattr(policy, one.key), meaning=one.description)
            for one in settings(SitePolicy)
        ),
    )
