"""``fedscan site …``: what the data steward of a hospital does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..errors import ConfigurationError, NotApprovedError, ProtocolError
from . import site_data
from .console import output, status
from .group import FedscanGroup

if TYPE_CHECKING:
    from ..client.daemon.approvals import Approvals
    from ..client.daemon.home import SiteHome
    from ..client.daemon.proposal import Proposal
    from ..client.daemon.registry import Registry
    from ..invitation import Invitation

_EPILOG = """\
From an empty machine to the first round:

- `fedscan site init north --home site` makes the keys; `request.json` goes to the coordinator.

- `fedscan site join welcome-north.json --home site` takes in the coordinator's answer.

- `fedscan site add-data chest --folder /data/chest --home site`

- `fedscan site approve lungs.invitation.json --data chest --home site`

- `fedscan site start --home site`
"""

Home = Annotated[
    Path, typer.Option("--home", help="The site's home folder.", envvar="FEDSCAN_SITE_HOME")
]
_HERE = Path("site")

app = typer.Typer(
    name="site",
    cls=FedscanGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
    help="Take part in studies as a site: the site decides, and no scan leaves it.",
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the application."""
    site_data.register(app)
    parent.add_typer(app)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The site's public name.")],
    home: Home = _HERE,
    base: Annotated[
        Path | None, typer.Option(help="Folder of the base generator. [default: the shipped one]")
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute: cpu or cuda.")] = "cpu",
) -> None:
    """Set up a site: make its keys, its policy and the request for the coordinator.

    The private keys are made here and never leave. Compare the fingerprint with the coordinator
    on the telephone.
    """
    from ..client.daemon.enrolment import init_site
    from ..client.daemon.home import SiteHome, SiteSettings, require_name

    require_name(name, "a site")
    settings = SiteSettings(name=name, base=str(base.resolve()) if base else "", device=device)
    request = init_site(home, settings)
    console = output()
    console.print(Text(f"Site {name} is set up in {home.resolve()}."))
    console.print(Text(f"Send to the coordinator: {SiteHome(home.resolve()).request}"))
    console.print(Text(f"Its fingerprint:         {request.fingerprint}"))
    console.print(Text(f"Look through the policy: {SiteHome(home.resolve()).policy}"))


@app.command()
def join(
    welcome: Annotated[Path, typer.Argument(help="The file that came back from the coordinator.")],
    home: Home = _HERE,
) -> None:
    """Take in the coordinator's welcome: its address, its authority and this site's certificate."""
    from ..client.daemon.enrolment import join as take_in
    from ..client.daemon.home import SiteHome
    from ..pki.enrolment import Welcome

    content = Welcome.from_json(welcome.read_bytes())
    take_in(SiteHome.open(home), content)
    output().print(Text(f"The site connects to {content.coordinator}."))


@app.command()
def approve(
    study: Annotated[
        str, typer.Argument(help="An invitation's file, or the beginning of a waiting digest.")
    ] = "",
    data: Annotated[str, typer.Option(help="Data set to train on.")] = "",
    base: Annotated[
        Path | None, typer.Option(help="Folder of the study's base. [default: the site's]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without being asked.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take an approval back.")] = False,
    home: Home = _HERE,
) -> None:
    """Show what a study would do here, and approve it; without a study, list those that wait.

    The approval is for exactly these rounds, this base and these terms: a study that changes any
    of them asks anew. Nothing is approved beforehand.
    """
    from ..client.daemon.approvals import Approvals
    from ..client.daemon.home import SiteHome
    from ..client.daemon.proposal import propose
    from ..client.daemon.registry import Registry

    site = SiteHome.open(home)
    approvals = Approvals(site)
    if not study:
        _list_studies(approvals)
        return
    if withdraw:
        digest = _one_of(study, [one.study for one in approvals.all()])
        approvals.withdraw(digest)
        output().print(Text(f"The study {digest[:12]} is not approved any more."))
        return
    invitation = _invitation(approvals, study)
    entry = Registry(site).get(data or _only_data_set(Registry(site)))
    folder = str(base.resolve()) if base else ""
    _show(propose(site, invitation, entry, folder))
    if not yes and not typer.confirm("Approve this study for this data set?"):
        output().print(Text("Not approved. Nothing was changed."))
        return
    approvals.approve(invitation, entry.name, folder)
    output().print(Text(f"Approved: {invitation.name} may train on {entry.name}."))


@app.command()
def start(
    home: Home = _HERE,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to try a coordinator that is out of reach.")
    ] = 30.0,
) -> None:
    """Connect to the coordinator and serve it until stopped (Ctrl-C or SIGTERM).

    The site's part is brought back by itself whenever it dies. What cannot be solved by waiting
    (another authority, an expired certificate, a refused key) ends it with one sentence and exit
    status 10.
    """
    from ..client.daemon.home import SiteHome
    from ..client.daemon.service import serve

    serve(
        SiteHome.open(home),
        patience_s=patience,
        say=lambda line: status().print(Text(line)),
    )


@app.command("status")
def show_status(home: Home = _HERE) -> None:
    """Show whether the site runs and is connected, its data sets and its studies."""
    from ..client.daemon.approvals import Approvals
    from ..client.daemon.home import SiteHome
    from ..client.daemon.registry import Registry
    from ..client.daemon.status import StatusFile

    site = SiteHome.open(home)
    settings, now = site.settings(), StatusFile(site).read()
    console = output()
    daemon = "runs" if now.running else "does not run"
    console.print(Text(f"Site {settings.name}: {daemon}{_paused(site.paused)}."))
    if now.running:
        state = "Connected" if now.connected else f"Not connected: {now.problem}"
        console.print(Text(f"{state} (since {now.since}, node restarted {now.restarts} times)."))
    console.print(Text(f"Coordinator: {settings.coordinator or 'none yet'}"))
    for name, entry in sorted(Registry(site).data_sets().items()):
        console.print(Text(f"Data set {name}: {entry.folder} ({_spent(site, name)})"))
    _list_studies(Approvals(site))


@app.command()
def ledger(
    data: Annotated[str, typer.Argument(help="Data set; all if not given.")] = "",
    home: Home = _HERE,
) -> None:
    """Check and print what each data set has spent of its patients' privacy."""
    from ..client.daemon.home import SiteHome
    from ..client.daemon.registry import Registry
    from ..client.policy import load_policy
    from .ledger import ledger as show

    site = SiteHome.open(home)
    registry = Registry(site)
    for name in [registry.get(data).name] if data else sorted(registry.data_sets()):
        folder = site.state(name) / "ledger"
        if folder.is_dir():
            show(folder, delta=load_policy(site.policy_of(name)).delta, as_json=False)
        else:
            output().print(Text(f"Data set {name}: nothing was spent."))


@app.command()
def audit(
    home: Home = _HERE,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check that no line was changed.")
    ] = False,
    noted: Annotated[
        str, typer.Option(help="A head noted earlier; the log must still contain its line.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the entries as JSON lines.")
    ] = False,
) -> None:
    """Show who asked what, what was answered and what left; each line is checked first."""
    from ..audit import AuditLog, Head
    from ..audit import verify as check
    from ..client.daemon.home import SiteHome

    site = SiteHome.open(home)
    head = check(site.audit, Head.parse(noted) if noted else None)
    if verify:
        output().print(Text(f"All {head.length} lines are as they were written. Head: {head}"))
        return
    table = Table("Line", "Time (UTC)", "Event", "Facts")
    for entry in AuditLog(site.audit).entries():
        if as_json:
            typer.echo(entry.to_line().decode("ascii"), nl=False)
        facts = ", ".join(f"{key} {_short(value)}" for key, value in entry.facts.items())
        table.add_row(str(entry.sequence), entry.time[:19], entry.event, Text(facts))
    if not as_json:
        output().print(table)


@app.command()
def pause(home: Home = _HERE) -> None:
    """Take no part from now on: requests are answered with `paused`. The daemon goes on running.

    A round that is being trained is finished. `fedscan site resume` goes on.
    """
    from ..client.daemon.home import SiteHome

    site = SiteHome.open(home)
    site.log.append("paused")
    site.paused.touch()
    output().print(Text("The site is paused. `fedscan site resume` goes on."))


@app.command()
def resume(home: Home = _HERE) -> None:
    """Take part again."""
    from ..client.daemon.home import SiteHome

    site = SiteHome.open(home)
    site.log.append("resumed")
    site.paused.unlink(missing_ok=True)
    output().print(Text("The site takes part again."))


def _show(proposal: Proposal) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 1, 0))
    table.add_column(style="bold")
    table.add_column(max_width=90)
    for heading, sentence in proposal.facts:
        table.add_row(heading, Text(sentence))
    output().print(table)


def _list_studies(approvals: Approvals) -> None:
    console = output()
    approved, pending = approvals.all(), approvals.pending()
    for approval in approved:
        console.print(Text(f"Approved: {approval.name} ({approval.study[:12]}) on {approval.data}"))
    for waiting in pending:
        console.print(Text(f"Waits:    {waiting.name} ({waiting.digest[:12]})"))
    if not approved and not pending:
        console.print(Text("No study is approved, and none waits."))


def _invitation(approvals: Approvals, study: str) -> Invitation:
    from ..invitation import Invitation

    path = Path(study)
    if path.is_file():
        return Invitation.from_json(path.read_bytes())
    if os.sep in study or study.endswith(".json"):
        raise ProtocolError(
            f"There is no invitation {study}.",
            hint="It is the file STUDY.invitation.json from the coordinator.",
        )
    waiting = {one.digest: one for one in approvals.pending()}
    return waiting[_one_of(study, list(waiting))]


def _one_of(beginning: str, digests: list[str]) -> str:
    found = [digest for digest in digests if digest.startswith(beginning)]
    if len(found) != 1:
        known = ", ".join(digest[:12] for digest in digests) or "there is none"
        raise NotApprovedError(
            f"{beginning!r} names {len(found)} studies ({known}).",
            hint="`fedscan site approve` lists them.",
        )
    return found[0]


def _only_data_set(registry: Registry) -> str:
    names = sorted(registry.data_sets())
    if len(names) != 1:
        raise ConfigurationError(
            f"The site has {len(names)} data sets.", hint="Name one with --data."
        )
    return names[0]


def _paused(file: Path) -> str:
    return ", and is paused" if file.exists() else ""


def _spent(site: SiteHome, name: str) -> str:
    from ..client.policy import load_policy
    from ..privacy.accounting import epsilon
    from ..privacy.ledger.view import LedgerView

    folder = site.state(name) / "ledger"
    if not folder.is_dir():
        return "nothing spent"
    delta = load_policy(site.policy_of(name)).delta
    spent = epsilon(LedgerView.read(folder).book.mechanisms(), delta)
    return f"epsilon {spent:.3g} spent at delta {delta:g}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:21]}…"
