"""``fedscan site approve``, ``show`` and ``decline``: a study, and the steward's word."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..common.counted import counted
from ..errors import ConfigurationError, NotApprovedError, ProtocolError
from .asking import confirmed
from .console import output
from .json_output import print_json
from .options import SITE_HOME, JsonOption, SiteHomeOption
from .progress import progress

if TYPE_CHECKING:
    from ..client.daemon.overview import SiteOverview
    from ..client.steward.approvals import Approvals
    from ..client.steward.data_sets import DataSet, Registry
    from ..client.steward.home import SiteHome
    from ..client.steward.proposal import Proposal
    from ..client.study_end import JointStudyView
    from ..federation.invitation import Invitation

_DECLINE_EPILOG = 'Example: `fedscan site decline lungs --reason "the protocol has no ethics vote"`'


def register(app: typer.Typer) -> None:
    """Add the commands to those of a site."""
    app.command()(approve)
    app.command()(show)
    app.command(epilog=_DECLINE_EPILOG)(decline)
    app.command("end-study")(end_study)


def approve(
    study: Annotated[
        str,
        typer.Argument(
            help="An invitation's file, or the name or the digest's beginning of a study here."
        ),
    ] = "",
    data: Annotated[str, typer.Option(help="Data set to train on.")] = "",
    base: Annotated[
        Path | None, typer.Option(help="Folder of the study's base. [default: the site's]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without being asked.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take an approval back.")] = False,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show what a study would do here, and approve it; without a study, list those that wait.

    The approval is for exactly these rounds, this base and these terms: a study that changes any
    of them asks anew. Nothing is approved beforehand. With `--json` nobody is asked: without
    `--yes` the study is only shown.
    """
    from ..client.daemon.overview import overview
    from ..client.steward.approvals import Approvals
    from ..client.steward.data_sets import Registry
    from ..client.steward.home import SiteHome
    from ..federation.supervision.service import is_running

    site = SiteHome.open(home)
    approvals = Approvals(site)
    if not study:
        view = overview(site)
        if as_json:
            print_json(
                {"approved": view.approved, "waiting": view.waiting, "declined": view.declined}
            )
        else:
            print_studies(view)
        return
    if withdraw:
        digest = _one_of(study, {one.study: one.name for one in approvals.all()})
        approvals.withdraw(digest)
        if as_json:
            print_json({"withdrawn": digest})
            return
        output().print(Text(f"The study {digest[:12]} is not approved any more."))
        return
    invitation = _invitation(approvals, study)
    entry = Registry(site).usable(data or _only_data_set(Registry(site)))
    folder = str(base.resolve()) if base else ""
    proposal = _proposed(site, invitation, entry, folder)
    if as_json:
        if yes:
            proposal.require_payable()
            approvals.approve(invitation, entry.name, folder)
        names = {"study": proposal.study, "name": invitation.name, "data": entry.name}
        print_json({**names, "facts": dict(proposal.facts), "approved": yes})
        return
    _show(proposal)
    proposal.require_payable()
    if not confirmed("Approve this study for this data set?", yes=yes):
        output().print(Text("Not approved. Nothing was changed."))
        return
    approvals.approve(invitation, entry.name, folder)
    output().print(Text(f"Approved: {invitation.name} may train on {entry.name}."))
    if not is_running(site.run):
        output().print(Text("It takes part while `fedscan site start` runs."))


def show(
    study: Annotated[
        str,
        typer.Argument(
            help="An invitation's file, or the name or the digest's beginning of a study here."
        ),
    ],
    data: Annotated[str, typer.Option(help="Data set that it would train on.")] = "",
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show what a study is for, what it does here, and whether it is approved; change nothing."""
    from ..client.steward.approvals import Approvals
    from ..client.steward.data_sets import Registry
    from ..client.steward.home import SiteHome

    site = SiteHome.open(home)
    approvals = Approvals(site)
    by_digest = {one.study: one for one in approvals.all()}
    invitation = _invitation(approvals, study, {one.study: one.name for one in by_digest.values()})
    approval = by_digest.get(invitation.digest)
    registry = Registry(site)
    name = data or (approval.data if approval else _only_data_set(registry))
    proposal = _proposed(site, invitation, registry.get(name), approval.base if approval else "")
    if as_json:
        names = {"study": proposal.study, "name": invitation.name, "data": name}
        print_json({**names, "facts": dict(proposal.facts), "approval": approval})
        return
    _show(proposal)
    output().print(
        Text(f"Approved for {approval.data} at {approval.time}." if approval else "Not approved.")
    )


def _proposed(site: SiteHome, invitation: Invitation, entry: DataSet, base: str) -> Proposal:
    with progress() as report:
        report("steps", 0, 3)  # to import what opens a base takes seconds already
        from ..client.steward.proposal import propose

        return propose(site, invitation, entry, base, report=report)


def _show(proposal: Proposal) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 1, 0))
    table.add_column(style="bold")
    table.add_column(max_width=90)
    for heading, sentence in proposal.facts:
        table.add_row(heading, Text(sentence))
    output().print(table)


def decline(
    study: Annotated[
        str,
        typer.Argument(
            help="An invitation's file, or the name or the digest's beginning of a study here."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why. It is put on record, and stays at the site.")],
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Decline a study, so that it does not wait any more, also if it asks again.

    The coordinator is told what it is told of every study that is not approved. To approve it
    after all, name it to `fedscan site approve`. Not so a study with joint noise: its keys are
    erased here, and it would have to ask as another study.
    """
    from ..client.declining import decline_study
    from ..client.steward.approvals import Approvals
    from ..client.steward.home import SiteHome

    site = SiteHome.open(home)
    result = decline_study(site, _invitation(Approvals(site), study), reason)
    if as_json:
        print_json({"declined": result.study, "reason": result.reason})
        return
    output().print(Text(f"Declined: {result.name} ({result.study[:12]})."))


def end_study(
    study: Annotated[
        str, typer.Argument(help="The name or the digest's beginning of an approved study.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Erase without being asked.")] = False,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Erase the keys of a joint study that is over, where the coordinator did not say so.

    At a study's end each site does it by itself. This is for a site that was away then, or a study
    that was given up. Nothing can be summed in the study any more, here or with this site. With
    `--json` nobody is asked: `--yes` is needed.
    """
    from ..client.steward.approvals import Approvals
    from ..client.steward.home import SiteHome
    from ..client.study_end import end_study as end

    site = SiteHome.open(home)
    digest = _one_of(study, {one.study: one.name for one in Approvals(site).all()})
    if not yes and (
        as_json or not confirmed("Erase its keys? The study cannot go on with this site.", yes=yes)
    ):
        if as_json:
            print_json({"study": digest, "erased": False})
            return
        output().print(Text("Not erased. Nothing was changed."))
        return
    end(site, digest)
    if as_json:
        print_json({"study": digest, "erased": True})
        return
    output().print(Text(f"The keys of the study {digest[:12]} are erased."))


def print_studies(view: SiteOverview) -> None:
    """Print the studies that are approved, those that wait, and those that were declined."""
    console = output()
    keys = {one.study: _keys_told(one) for one in view.joint}
    for approval in view.approved:
        text = f"Approved: {approval.name} ({approval.study[:12]}) on {approval.data}"
        console.print(Text(text + keys.get(approval.study, "")))
    for one in view.waiting:
        console.print(Text(f"Waits:    {one.name} ({one.study[:12]})"))
    for no in view.declined:
        console.print(Text(f"Declined: {no.name} ({no.study[:12]}): {no.reason}"))
    if not view.approved and not view.waiting:
        console.print(Text("No study is approved, and none waits."))


def _keys_told(study: JointStudyView) -> str:
    if study.keys_erased:
        return f"; over, its keys were erased {study.keys_erased}"
    return "; its keys are kept here" if study.has_keys else "; its keys are lost: it cannot go on"


def _invitation(
    approvals: Approvals, study: str, approval_names: Mapping[str, str] = MappingProxyType({})
) -> Invitation:
    """Return a study's invitation from a file, or of a study that waits or was approved here."""
    from ..federation.invitation import Invitation

    path = Path(study)
    if path.is_file():
        return Invitation.from_json(path.read_bytes())
    if os.sep in study or study.endswith(".json"):
        raise ProtocolError(
            f"There is no invitation {study}.",
            hint="It is the file STUDY.invitation.json from the coordinator.",
        )
    known_studies = approvals.known()
    digest = _one_of(
        study,
        {**approval_names, **{one: invitation.name for one, invitation in known_studies.items()}},
    )
    return (
        known_studies[digest] if digest in known_studies else approvals.approved_invitation(digest)
    )


def one_study(name_or_digest: str, names: Mapping[str, str]) -> str:
    """Return the digest of a study; of the only one where none is named."""
    if not name_or_digest and len(names) == 1:
        return next(iter(names))
    return _one_of(name_or_digest, names)


def _one_of(name_or_digest: str, names: Mapping[str, str]) -> str:
    """Return the digest of the study that is meant by its name or by its digest's beginning."""
    matches = [digest for digest in names if digest.startswith(name_or_digest)]
    matches = [digest for digest, name in names.items() if name == name_or_digest] or matches
    if len(matches) != 1:
        choices = ", ".join(f"{name} ({digest[:12]})" for digest, name in names.items())
        raise NotApprovedError(
            f"{name_or_digest!r} names {counted(len(matches), 'study')} "
            f"({choices or 'there is none'}).",
            hint="`fedscan site approve` lists them.",
        )
    return matches[0]


def _only_data_set(registry: Registry) -> str:
    names = sorted(one.name for one in registry.data_sets().values() if not one.retired)
    if len(names) != 1:
        raise ConfigurationError(
            f"The site has {len(names)} data sets.", hint="Name one with --data."
        )
    return names[0]
