"""``fedscan coordinator enrol`` and ``revoke``: who belongs to the federation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .asking import FingerprintOption, YesOption, confirmed
from .console import output, say
from .coordinator_home import HOME, HomeOption, open_home, tell
from .json_output import print_json
from .options import JsonOption


def register(group: typer.Typer) -> None:
    """Add the commands to those of a coordinator."""
    group.command()(enrol)
    group.command()(revoke)


def enrol(
    site: Annotated[str, typer.Argument(help="Name of the site.", metavar="SITE")],
    request: Annotated[Path, typer.Option(help="The site's request.json.")],
    home: HomeOption = HOME,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write the welcome.")
    ] = None,
    fingerprint: FingerprintOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a site a member, and write the welcome that goes back to it.

    Compare the fingerprint with the site's steward by telephone before you say yes: it says that
    the request is the one that the site made. A site that enrols again gets new keys for its old
    ones. With `--json` nobody is asked: without `--fingerprint` or `--yes` it is only shown.
    """
    from ..common.files import write_atomically
    from ..federation.pki.enrolment import Welcome
    from ..federation.pki.keys import is_same_fingerprint
    from ..server.coordinator.members import enrol as enrol_site
    from ..server.coordinator.members import read_request

    coordinator, content = open_home(home), request.read_bytes()
    own_fingerprint = read_request(site, content).fingerprint
    is_confirmed = yes or is_same_fingerprint(
        own_fingerprint, fingerprint, whose="the site's request"
    )
    if as_json and not is_confirmed:
        print_json({"fingerprint": own_fingerprint, "welcome": None})
        return
    if not as_json:
        say("Fingerprint", own_fingerprint)
        question = "Did the site's steward read out the same fingerprint?"
        if not confirmed(question, yes=is_confirmed, option="--fingerprint or --yes"):
            output().print(Text("Not enrolled. Nothing was changed."))
            return
    path, member = enrol_site(coordinator, site, content)
    target = out or Path(f"welcome-{site}.json")
    write_atomically(target, path.read_bytes())
    if as_json:
        print_json({"fingerprint": member.fingerprint, "welcome": target})
        return
    authority = Welcome.from_json(path.read_bytes()).authority_fingerprint
    say("Welcome", target)
    say("Authority", authority)
    output().print(Text(f"Next: send {target} to the site, and read the authority out to it."))


def revoke(
    site: Annotated[str, typer.Argument(help="Name of the site.", metavar="SITE")],
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Take a site's membership: it is refused within seconds, and in every study."""
    from ..server.coordinator.members import revoke as revoke_site

    revoke_site(open_home(home), site)
    tell(as_json, {"revoked": site})
