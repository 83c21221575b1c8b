"""The files of a site that nobody else may read."""

from __future__ import annotations

from pathlib import Path

from ..data.identity import FILE_NAME
from .data_sets import Registry
from .home import SiteHome


def secrets_of(home: SiteHome) -> dict[str, Path]:
    """Return the site's secrets by name: keys, and what hides patients and noise.

    Args:
        home: The site's home.

    Raises:
        ConfigurationError: If the list of data sets is damaged.
    """
    paths = {"opt-out list": home.opt_outs, "evidence key": home.evidence_key}
    for name, entry in Registry(home).data_sets().items():
        paths[f"identity of {name}"] = home.state(name) / FILE_NAME
        paths[f"secrets of {name}"] = home.state(name) / "ledger" / "secrets"
        if entry.credentials:
            paths[f"credentials of {name}"] = Path(entry.credentials)
    present = {name: path for name, path in paths.items() if path.exists()}
    return {"TLS key": home.tls_key, "node key": home.node_key, **present}
