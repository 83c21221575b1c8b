"""``fedscan site page``: all that a data steward decides and sees, in the browser."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from .console import output, status
from .options import SITE_HOME, SiteHomeOption

_EPILOG = """\
Examples:

- `fedscan site page` and open the address that it prints.

- `ssh -L 8767:127.0.0.1:8767 site.example` brings the page to your own machine.
"""


def register(app: typer.Typer) -> None:
    """Add the command to those of a site."""
    app.command("page", epilog=_EPILOG)(page)


def page(
    home: SiteHomeOption = SITE_HOME,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8767,
) -> None:
    """Show studies, data sets, budgets, what left and opt-outs, and decide on them, in the browser.

    The page is served to this machine only and needs no internet. The address that is printed
    ends with a token, new at each start: whoever has it may do what this user may do. The page
    calls what the commands call; the site runs whether the page does or not.
    """
    from ..client.page.access import new_token
    from ..client.page.app import steward_app
    from ..client.steward.home import SiteHome
    from ..common.local_page import LOOPBACK, serve

    site = SiteHome.open(home)
    token, name = new_token(), site.settings().name
    app = steward_app(site, token)
    output().print(Text(f"http://{LOOPBACK}:{port}/#{token}"))
    status().print(Text(f"This address is a key to the site {name}; Ctrl-C ends the page."))
    serve(app, port)
