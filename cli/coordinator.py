"""``fedscan coordinator``: the side that asks, from an empty folder to a signed generator."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from . import coordinator_members, coordinator_scores
from .audit_lines import FollowOption, LastOption, show_log
from .console import output, say, status
from .coordinator_home import HOME, HomeOption, open_home, tell
from .dashboard import EPILOG as _DASHBOARD_EPILOG
from .dashboard import dashboard
from .json_output import print_json
from .options import (
    ConfigOption,
    DeclaredOption,
    DeviceOption,
    JsonOption,
    SetOption,
    study_from,
)
from .verify_record import verify_record

if TYPE_CHECKING:
    from ..config.study import Study

_EPILOG = """\
Examples:

- `fedscan coordinator init --host fl.example.org`

- `fedscan coordinator enrol hospital-a --request request.json`

- `fedscan coordinator start` runs until it is stopped, best by systemd.

- `fedscan coordinator submit --config study.toml`
"""

_StudyArgument = Annotated[str, typer.Argument(help="Name of the study.", metavar="STUDY")]

group = typer.Typer(
    name="coordinator",
    help="Run a federation between machines: the coordinator's side.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    epilog=_EPILOG,
)


group.command("dashboard", epilog=_DASHBOARD_EPILOG)(dashboard)
group.command("verify")(verify_record)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(group)


@group.command()
def init(
    host: Annotated[str, typer.Option(help="Host name or address that sites connect to.")],
    home: HomeOption = HOME,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for the sites.")] = 8443,
    name: Annotated[str, typer.Option(help="Name of the federation.")] = "federation",
    listen: Annotated[str, typer.Option(help="Local address to bind to.")] = "0.0.0.0",
    superlink_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of Flower's SuperLink, on loopback only.")
    ] = 9091,
    as_json: JsonOption = False,
) -> None:
    """Make the coordinator's folder: a certificate authority, keys, certificates, a study file.

    Back the folder up, and keep it secret: whoever has `ca/ca.key` can enrol sites.
    """
    from ..federation.pki.keys import fingerprint
    from ..server.coordinator.home import Addresses
    from ..server.coordinator.setup import create_home

    addresses = Addresses(
        name=name, host=host, port=port, listen=listen, superlink_port=superlink_port
    )
    coordinator = create_home(home, addresses)
    authority = fingerprint(coordinator.authority.certificate_file.read_bytes())
    facts = {"folder": coordinator.root, "address": addresses.public, "authority": authority}
    tell(as_json, {**facts, "study_file": coordinator.study})
    if not as_json:
        output().print(Text("Next: `fedscan coordinator enrol SITE --request request.json`."))


coordinator_members.register(group)
coordinator_scores.register(group)


@group.command()
def start(home: HomeOption = HOME, device: DeviceOption = "auto") -> None:
    """Run the coordinator until it gets SIGTERM or Ctrl-C.

    Starts Flower's SuperLink and SuperExec and the proxy nginx, starts again what dies, and
    follows the orders that the other commands leave in the folder. Warm-up and sample images are
    computed on the device. A study that ran when the
    coordinator ended goes on from its last checkpoint.
    """
    import logging

    from ..server.coordinator.service import serve

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    coordinator = open_home(home)
    address = coordinator.addresses.public
    status().print(Text("Starting."))
    serve(
        coordinator, lambda: status().print(Text(f"Ready for sites at {address}.")), device=device
    )
    status().print(Text("Stopped."))


@group.command()
def stop(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Stop the running coordinator and wait until it has stopped."""
    from ..federation.supervision.service import stop_service
    from ..server.coordinator.service import WHAT

    stop_service(open_home(home).run, WHAT)
    tell(as_json, {"stopped": True} if as_json else {})


@group.command()
def submit(
    home: HomeOption = HOME,
    config: ConfigOption = None,
    sets: SetOption = None,
    patients: DeclaredOption = None,
    repeat: Annotated[
        bool,
        typer.Option("--repeat", help="Repeat a study of the same terms that is here already."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Submit a study and write the invitation that its sites approve.

    Without `--config` it is the folder's `study.toml`. A running coordinator starts it within
    seconds, and the study waits until enough sites are connected. Sites know a study by its terms:
    a second one with the same terms would be refused by them, and is refused here.

    What trains is chosen now where the study leaves it open (`trainable.subset=auto`), by the sizes
    that the sites declare; the invitation says what was chosen and why.
    """
    from ..federation.supervision.service import is_running
    from ..server.coordinator.orders import submit as submit_study
    from ..simulation.submitting import as_submitted

    coordinator = open_home(home)
    study = as_submitted(study_from(config or coordinator.study, sets), patients or ())
    folder = submit_study(coordinator, study, repeat=repeat)
    tell(as_json, {"study": folder.name, "invitation": folder.invitation, **_trains(study)})
    _note_unsaid(study)
    if not is_running(coordinator.run):
        status().print(Text("It starts when `fedscan coordinator start` runs."))


@group.command()
def invite(
    home: HomeOption = HOME,
    config: ConfigOption = None,
    sets: SetOption = None,
    patients: DeclaredOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write the invitation.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a study's invitation without submitting it, for sites to look at beforehand.

    Without `--config` it is that of the folder's `study.toml`.
    """
    from ..common.files import write_atomically
    from ..model.storage import generator_digest
    from ..server.coordinator.orders import invitation_of
    from ..server.job import base_of
    from ..simulation.submitting import as_submitted

    coordinator = open_home(home)
    study = as_submitted(study_from(config or coordinator.study, sets), patients or ())
    invitation = invitation_of(study, generator_digest(base_of(study)))
    target = out or Path(f"{study.name}.invitation.json")
    write_atomically(target, invitation.to_json())
    tell(as_json, {"invitation": target, "approval": invitation.digest, **_trains(study)})
    _note_unsaid(study)
    if study.privacy.sum == "joint":
        text = "Its sites' keys are still to come: sites approve what `submit` writes then."
    else:
        text = f"Next: send {target.name} to the sites; once they approve, submit the same study."
    status().print(Text(text))


def _trains(study: Study) -> dict[str, str]:
    """Return what trains, and why where it was chosen now."""
    return {"trains": study.trainable.subset, "reason": study.outlook.reason}


def _note_unsaid(study: Study) -> None:
    """Say what stewards will miss in an invitation."""
    if study.privacy.enabled and not study.outlook.patients:
        status().print(
            Text(
                "The invitation declares no site's patients, so stewards are not told what it "
                "would learn. Name them with --patients, or as outlook.patients."
            )
        )
    if missing := study.about.missing():
        status().print(
            Text(f"The invitation does not say: {missing}. Say it in [about] of the study file.")
        )


@group.command()
def abort(study: _StudyArgument, home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Stop a study; it can be resumed from its last checkpoint."""
    from ..server.coordinator.orders import abort as abort_study

    abort_study(open_home(home), study)
    tell(as_json, {"aborted": study})


@group.command()
def resume(
    study: _StudyArgument,
    home: HomeOption = HOME,
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Continue a study that failed or was aborted from its last checkpoint.

    It ends with the same bytes as if it had not been interrupted, and costs no site anything twice.
    With `--set` it can be told to wait for longer, or for fewer sites, from now on, such as
    `--set federation.round_timeout_s=7200` or `--set federation.min_results=2`.
    """
    from ..server.coordinator.orders import resume as resume_study

    resume_study(open_home(home), study, sets or ())
    tell(as_json, {"resumed": study})


@group.command("status")
def show_status(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Show the processes, the sites and the studies."""
    from ..server.coordinator.overview import overview

    view = overview(open_home(home))
    if as_json:
        print_json(asdict(view))
        return
    state = "ready" if view.ready else ("starting" if view.running else "not running")
    say("Coordinator", f"{view.address}, {state}")
    if view.message:
        say("", view.message)
    sites = Table("Site", "Connected", "Certificate until")
    for site in view.sites:
        sites.add_row(Text(site.site), "yes" if site.online else "no", site.expires)
    studies = Table("Study", "State", "Round", "What went wrong")
    for study in view.studies:
        rounds = f"{study.round} of {study.rounds}"
        studies.add_row(Text(study.study), study.phase, rounds, Text(study.message))
    for table in (sites, studies):
        output().print(table)


@group.command()
def audit(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Check the audit log: every line since the beginning, in order and unchanged."""
    from ..common.audit.log import verify

    head = verify(open_home(home).audit)
    tell(as_json, {"entries": head.length, "head": head.hash})


@group.command()
def log(
    last: LastOption = 20,
    follow: FollowOption = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Show the newest of what sites and studies did, a line each.

    They are the lines of the audit log; `fedscan coordinator audit` checks it from the beginning.
    """
    show_log(open_home(home).audit, last=last, follow=follow, as_json=as_json)
