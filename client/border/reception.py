"""Who receives a message at this site, and where it is put on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flwr.app import UserConfig

from ...common.audit import AuditLog
from ...federation.protocol import RoundRequest
from ..site import Site
from ..steward.admission import admit
from ..steward.home import SiteHome
from ..steward.policy_log import note_policies


def _nothing() -> None:
    """A simulated site has no steward."""


@dataclass(frozen=True, kw_only=True)
class Reception:
    """What a message meets first.

    Attributes:
        name: The site's public name.
        log: File with the full text of errors.
        audit: Where each request and answer is put on record; a simulated site has none.
        admit: Returns the site for a request, or refuses it.
        note: Puts on record what a steward changed by hand.
    """

    name: str
    log: Path
    audit: AuditLog | None
    admit: Callable[[RoundRequest], Site]
    note: Callable[[], None] = _nothing

    @classmethod
    def from_config(cls, config: UserConfig) -> Reception:
        """Read Flower's node configuration: a daemon's names its home, a simulation's the rest.

        Raises:
            ConfigurationError: If a value is missing or of a wrong form.
        """
        folder = config.get("home")
        if isinstance(folder, str) and folder:
            home = SiteHome.open(Path(folder))
            return cls(
                name=home.settings().name,
                log=home.logs / "site.log",
                audit=home.log,
                admit=lambda request: admit(home, request),
                note=lambda: note_policies(home),
            )
        site = Site.from_config(config)
        return cls(name=site.name, log=site.log, audit=None, admit=lambda request: site)
