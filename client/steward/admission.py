"""Whether a request is let in, and to which data set."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ...errors import ConfigurationError, NotApprovedError, PausedError
from ...federation.invitation import Invitation
from ...federation.protocol import RoundRequest
from ...model.computing.devices import resolve_devices
from ..policy import SitePolicy, load_policy
from ..site import Site
from ..terms import StudyTerms
from .approvals import Approval, Approvals
from .data_sets import Registry, site_with_data_set
from .home import SiteHome
from .opt_outs import require_list


def admit(home: SiteHome, request: RoundRequest) -> Site:
    """Return the site, with the data set that was approved for the request's study.

    The approval is by the study's digest: it covers the number of rounds, the base and every
    term, so a request that differs in any of them is another study.

    Raises:
        ConfigurationError: If a file of the site is missing or damaged, or its device is not there.
        DataError: If the data set is gone, or somebody from the opt-out list.
        NotApprovedError: If the steward has not approved the study.
        PausedError: If the site is paused, or its hours are over.
        PrivacyError: If the policy does not allow the data set.
        ProtocolError: If the request's terms are malformed.
    """
    require_open(home)
    opted_out = require_list(home).state
    approvals = Approvals(home)
    try:
        approval = approvals.require(request.study())
    except NotApprovedError:
        StudyTerms.from_request(request)  # nonsense is not kept
        approvals.remember(_invitation(request))
        raise
    site = site_of(home, approval, opted_out)
    policy = load_policy(site.policy)
    policy.check_data_set(approval.data)
    policy.check_time(datetime.now())
    return site


def site_of(home: SiteHome, approval: Approval, opted_out: str) -> Site:
    """Return the site with the data set that a study was approved for.

    Args:
        home: The site's home.
        approval: The approval.
        opted_out: State of the opt-out list.

    Raises:
        ConfigurationError: If it computes on what its policy does not allow.
        DataError: If the data set is gone.
    """
    entry, settings = Registry(home).usable(approval.data), home.settings()
    site = site_with_data_set(home, entry, approval.base, settings=settings, opted_out=opted_out)
    device, *others = site_devices(settings.device, load_policy(site.policy))
    return replace(site, device=device, other_devices=tuple(others))


def site_devices(setting: str, policy: SitePolicy) -> tuple[str, ...]:
    """Return the devices that a site computes on; mostly a single one.

    Args:
        setting: ``device`` of ``site.toml``.
        policy: What the site allows.

    Raises:
        ConfigurationError: If there is no such device, or the policy does not allow it.
    """
    if setting == "auto" and not policy.allow_gpu:
        return ("cpu",)
    devices = resolve_devices(setting)
    if set(devices) != {"cpu"} and not policy.allow_gpu:
        raise ConfigurationError(
            f"The site computes on {setting!r}, which its policy does not allow.",
            hint='Set device = "cpu" in site.toml, or allow_gpu = true in policy.toml.',
        )
    return devices


def require_open(home: SiteHome) -> None:
    """Refuse everything while a site is paused.

    Raises:
        PausedError: If it is.
    """
    if home.pause_file.exists():
        raise PausedError("The site is paused.", hint="`fedscan site resume` goes on.")


def _invitation(request: RoundRequest) -> Invitation:
    return Invitation(
        name=f"unannounced-{request.study()[:12]}",
        rounds=request.rounds,
        base=request.base,
        terms=request.terms,
    )
