"""Who receives a message at this site, and where it is put on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flwr.app import UserConfig

from ...common.audit import AuditLog
from ...federation.pki.keys import PrivateKey, read_private_key
from ...federation.protocol import RoundRequest
from ..site import Site, study_keys
from ..steward.admission import admit, require_open
from ..steward.home import SiteHome
from ..steward.policy_log import note_policies


def _nothing() -> None:
    """A simulated site has no steward."""


def _nobody() -> None:
    """A simulated site has no certificate."""


@dataclass(frozen=True, kw_only=True)
class Reception:
    """What a message meets first.

    Attributes:
        name: The site's public name.
        log: File with the full text of errors.
        audit: Where each request and answer is put on record; a simulated site has none.
        admit: Returns the site for a request, or refuses it.
        study_keys: Folder of the private keys for studies' joint sums.
        note: Puts on record what a steward changed by hand.
        require_open: Refuses everything while the site is paused.
        identity: Returns the key that signs what the site says of its keys, if it has one.
    """

    name: str
    log: Path
    audit: AuditLog | None
    admit: Callable[[RoundRequest], Site]
    study_keys: Path
    note: Callable[[], None] = _nothing
    require_open: Callable[[], None] = _nothing
    identity: Callable[[], PrivateKey | None] = _nobody

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
                study_keys=study_keys(home.folder),
                note=lambda: note_policies(home),
                require_open=lambda: require_open(home),
                identity=lambda: read_private_key(home.tls_key),
            )
        site = Site.from_config(config)
        return cls(
            name=site.name,
            log=site.log,
            audit=None,
            admit=lambda request: site,
            study_keys=site.study_keys,
        )
