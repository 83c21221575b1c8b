"""``fedscan site …``: what the data steward of a hospital does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from . import (
    site_approval,
    site_data,
    site_data_life,
    site_evaluate,
    site_evidence,
    site_labels,
    site_opt_out,
    site_page,
    site_records,
)
from .asking import FingerprintOption, YesOption, confirmed
from .console import output, say, status
from .group import FedscanGroup
from .json_output import print_json
from .options import SITE_HOME, JsonOption, SiteHomeOption
from .site_approval import print_studies

if TYPE_CHECKING:
    from ..client.daemon.overview import DataSetView

_EPILOG = """\
From an empty machine to the first round:

- `fedscan site init north --home site` makes the keys; `request.json` goes to the coordinator.

- `fedscan site join welcome-north.json --home site` takes in the coordinator's answer.

- `fedscan site add-data chest --folder /data/chest --home site`

- `fedscan site approve lungs.invitation.json --data chest --home site`

- `fedscan site start --home site`
"""

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
    site_data_life.register(app)
    site_labels.register(app)
    site_approval.register(app)
    site_evaluate.register(app)
    site_records.register(app)
    site_opt_out.register(app)
    site_page.register(app)
    site_evidence.register(app)
    parent.add_typer(app)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The site's public name.")],
    home: SiteHomeOption = SITE_HOME,
    base: Annotated[
        Path | None, typer.Option(help="Folder of the base generator. [default: the shipped one]")
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            help="Where to compute: auto (a GPU where there is one and the policy allows it), cpu, "
            "cuda, cuda:N or mps; several GPUs with commas between them share the patients."
        ),
    ] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Set up a site: make its keys, its policy and the request for the coordinator.

    The private keys are made here and never leave. Compare the fingerprint with the coordinator
    on the telephone.
    """
    from ..client.steward.enrolment import init_site
    from ..client.steward.home import SiteHome, SiteSettings
    from ..common.names import require_name
    from ..model.computing.devices import resolve_devices

    require_name(name, "a site")
    if device != "auto":
        resolve_devices(device)
    settings = SiteSettings(name=name, base=str(base.resolve()) if base else "", device=device)
    request = init_site(home, settings)
    site = SiteHome(home.resolve())
    if as_json:
        files = {"home": home.resolve(), "request": site.request, "policy": site.policy}
        print_json({"site": name, **files, "fingerprint": request.fingerprint})
        return
    console = output()
    console.print(Text(f"Site {name} is set up in {home.resolve()}."))
    console.print(Text(f"Send to the coordinator: {site.request}"))
    console.print(Text(f"Its fingerprint:         {request.fingerprint}"))
    console.print(Text(f"Look through the policy: {site.policy}"))
    console.print(Text(f"Next, when its answer is here: `fedscan site join welcome-{name}.json`."))


@app.command("new-keys")
def new_keys(home: SiteHomeOption = SITE_HOME, as_json: JsonOption = False) -> None:
    """Make new keys in place of the site's old ones, and a request that holds them.

    For a site that was revoked, or whose keys somebody else may have. Ledgers, data sets and
    approvals stay. Send `request.json` to the coordinator, and take in its new welcome.
    """
    from ..client.steward.enrolment import renew_keys
    from ..client.steward.home import SiteHome

    site = SiteHome.open(home)
    request = renew_keys(site)
    if as_json:
        print_json({"request": site.request, "fingerprint": request.fingerprint})
        return
    console = output()
    console.print(Text(f"Send to the coordinator: {site.request}"))
    console.print(Text(f"Its fingerprint:         {request.fingerprint}"))


@app.command()
def join(
    welcome: Annotated[Path, typer.Argument(help="The file that came back from the coordinator.")],
    home: SiteHomeOption = SITE_HOME,
    fingerprint: FingerprintOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take in the coordinator's welcome: its address, its authority and this site's certificate.

    Whoever has the authority can speak for the coordinator: compare its fingerprint with the
    coordinator on the telephone. With `--json` nobody is asked: without `--fingerprint` or `--yes`
    it is only shown.
    """
    from ..client.steward.enrolment import join as take_in
    from ..client.steward.home import SiteHome
    from ..federation.pki.enrolment import Welcome
    from ..federation.pki.keys import is_same_fingerprint

    content, site = Welcome.from_json(welcome.read_bytes()), SiteHome.open(home)
    authority = content.authority_fingerprint
    is_confirmed = yes or is_same_fingerprint(authority, fingerprint, whose="the authority")
    if as_json:
        if is_confirmed:
            take_in(site, content)
        facts = {"coordinator": content.coordinator, "authority": authority}
        print_json({**facts, "plan": asdict(content.plan), "joined": is_confirmed})
        return
    console = output()
    console.print(Text(f"Coordinator: {content.coordinator}"))
    console.print(Text(f"Its authority's fingerprint: {authority}"))
    plan = content.plan.facts()
    if any(plan.values()):
        console.print(Text("What it plans, which you decide on later:"))
    for heading, text in plan.items():
        if text:
            say(f"  {heading}", text)
    question = "Did the coordinator read out the same fingerprint?"
    if not confirmed(question, yes=is_confirmed, option="--fingerprint or --yes"):
        console.print(Text("Not joined. Nothing was changed."))
        return
    take_in(site, content)
    console.print(Text(f"The site connects to {content.coordinator}."))
    console.print(Text("Next: `fedscan site add-data NAME --folder FOLDER`."))


@app.command()
def start(
    home: SiteHomeOption = SITE_HOME,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to try a coordinator that is out of reach.")
    ] = 30.0,
) -> None:
    """Connect to the coordinator and serve it until stopped (Ctrl-C or SIGTERM).

    The site's part is brought back by itself whenever it dies. What cannot be solved by waiting
    (another authority, an expired certificate, a refused key) ends it with one sentence and exit
    status 10.
    """
    from ..client.daemon.service import serve
    from ..client.steward.home import SiteHome

    serve(
        SiteHome.open(home),
        patience_s=patience,
        say=lambda line: status().print(Text(line)),
    )


@app.command("status")
def show_status(home: SiteHomeOption = SITE_HOME, as_json: JsonOption = False) -> None:
    """Show whether the site runs and is connected, its data sets and its studies."""
    from ..client.daemon.overview import overview
    from ..client.steward.home import SiteHome

    view = overview(SiteHome.open(home))
    if as_json:
        print_json(asdict(view))
        return
    console, now = output(), view.daemon
    daemon = "runs" if now.running else "does not run"
    pause_note = ", and is paused" if view.paused else ""
    console.print(Text(f"Site {view.site}: {daemon}{pause_note}."))
    if now.running:
        state = "Connected." if now.connected else f"Not connected: {now.problem}"
        console.print(
            Text(f"{state} Since {now.since}; node restarted {counted(now.restarts, 'time')}.")
        )
    elif now.problem:
        console.print(Text(f"It ended at {now.since}: {now.problem}"))
    if now.problem and now.hint:
        console.print(Text(f"→ {now.hint}"))
    console.print(Text(f"Coordinator: {view.coordinator or 'none yet'}"))
    for data in view.data_sets:
        console.print(Text(f"Data set {data.name}: {data.folder} ({_spent(data)})"))
    print_studies(view)


@app.command()
def pause(home: SiteHomeOption = SITE_HOME, as_json: JsonOption = False) -> None:
    """Take no part from now on: requests are answered with `paused`. The daemon goes on running.

    A round that is being trained is finished. `fedscan site resume` goes on.
    """
    from ..client.steward.home import SiteHome
    from ..client.steward.pausing import pause as take_no_part

    take_no_part(SiteHome.open(home))
    if as_json:
        print_json({"paused": True})
        return
    output().print(Text("The site is paused. `fedscan site resume` goes on."))


@app.command()
def resume(home: SiteHomeOption = SITE_HOME, as_json: JsonOption = False) -> None:
    """Take part again."""
    from ..client.steward.home import SiteHome
    from ..client.steward.pausing import resume as take_part

    take_part(SiteHome.open(home))
    if as_json:
        print_json({"paused": False})
        return
    output().print(Text("The site takes part again."))


def _spent(data: DataSetView) -> str:
    if data.retired:
        return "retired"
    if data.problem:
        return f"pays for nothing: {data.problem}"
    if data.epsilon is None:
        return "nothing spent"
    text = f"epsilon {data.epsilon:.3g} spent at delta {data.delta:g}"
    if data.collusion_epsilon is not None:
        text += f", {data.collusion_epsilon:.3g} if all other sites worked together"
    return text
