"""What a site can say of itself, from its home alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...errors import AuditError, LedgerError
from ...privacy.joint.plan import both_epsilons
from ..policy import load_policy
from ..spending import spending_under
from ..steward.approvals import Approval, Approvals
from ..steward.data_sets import Registry
from ..steward.declines import Declines
from ..steward.home import SiteHome
from ..steward.status import Status, StatusFile
from ..study_end import JointStudyView, joint_studies


@dataclass(frozen=True, kw_only=True)
class DataSetView:
    """A data set: where its files are, and what its patients' privacy has paid.

    Attributes:
        name: What the steward calls it.
        folder: Folder of its files.
        epsilon: What all steps spent together; ``None`` if there is no ledger yet.
        collusion_epsilon: The same if all other sites of joint sums worked together; ``None``
            where it is no other number.
        delta: The delta of its policy, which epsilon is stated at; ``None`` likewise.
        problem: Why the data set pays for nothing just now; empty if it does.
        retired: Whether no study may use it any more.
    """

    name: str
    folder: str
    epsilon: float | None
    delta: float | None
    problem: str = ""
    retired: bool = False
    collusion_epsilon: float | None = None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A study that waits for the steward: its name and its digest."""

    name: str
    study: str


@dataclass(frozen=True, kw_only=True)
class Declined:
    """A study that the steward declined: its name, its digest, why and when (UTC)."""

    name: str
    study: str
    reason: str
    time: str


@dataclass(frozen=True, kw_only=True)
class SiteOverview:
    """Everything that ``fedscan site status`` shows.

    Attributes:
        site: The site's name.
        daemon: Whether it runs and is connected.
        paused: Whether the steward paused it.
        coordinator: Address of the coordinator; empty before the site joined one.
        data_sets: Its data sets, by name.
        approved: Studies that may train.
        waiting: Studies that asked and were not approved.
        declined: Studies that were declined.
        joint: Of the approved studies those of joint sums, and whether their keys are still here.
    """

    site: str
    daemon: Status
    paused: bool
    coordinator: str
    data_sets: tuple[DataSetView, ...]
    approved: tuple[Approval, ...]
    waiting: tuple[Waiting, ...]
    declined: tuple[Declined, ...]
    joint: tuple[JointStudyView, ...]


def overview(home: SiteHome) -> SiteOverview:
    """Return what can be said of a site, whether it runs or not."""
    settings, approvals = home.settings(), Approvals(home)
    return SiteOverview(
        site=settings.name,
        daemon=StatusFile(home).read(),
        paused=home.pause_file.exists(),
        coordinator=settings.coordinator,
        data_sets=tuple(
            replace(_data_set(home, name, entry.folder), retired=entry.retired)
            for name, entry in sorted(Registry(home).data_sets().items())
        ),
        approved=tuple(approvals.all()),
        waiting=tuple(Waiting(name=one.name, study=one.digest) for one in approvals.pending()),
        declined=tuple(
            Declined(name=one.name, study=one.study, reason=one.reason, time=one.time)
            for one in Declines(home).all()
        ),
        joint=tuple(joint_studies(home)),
    )


def _data_set(home: SiteHome, name: str, folder: str) -> DataSetView:
    policy = load_policy(home.policy_of(name))
    try:
        view = spending_under(policy, home.folder, home.state(name))
    except (AuditError, LedgerError) as failure:
        return DataSetView(
            name=name, folder=folder, epsilon=None, delta=None, problem=failure.message
        )
    if view is None:
        return DataSetView(name=name, folder=folder, epsilon=None, delta=None)
    total, alone = both_epsilons(view.book.shares(), policy.delta)
    return DataSetView(
        name=name,
        folder=folder,
        epsilon=total,
        delta=policy.delta,
        collusion_epsilon=alone if view.book.has_joint else None,
    )
