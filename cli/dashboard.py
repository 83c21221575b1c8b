"""``fedscan coordinator dashboard``: a page that shows a study as it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .console import status

EPILOG = """\
Examples:

- `fedscan coordinator dashboard head-ct --home coordinator` shows a study of this coordinator.

- `fedscan coordinator dashboard run` shows what `fedscan simulate --out run` does or did.

- `ssh -L 8765:127.0.0.1:8765 coordinator.example` brings the page to your own machine.
"""


def dashboard(
    study: Annotated[
        str, typer.Argument(help="Name of a study in HOME, or a folder with study.toml and run/.")
    ],
    home: Annotated[
        Path, typer.Option(help="The coordinator's folder.", envvar="FEDSCAN_COORDINATOR_HOME")
    ] = Path("coordinator"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8765,
) -> None:
    """Show a study's sites, rounds, privacy, bytes and sample images in the browser.

    The page is served to this machine only, needs no internet, and reads the study's folder
    without changing anything: start and stop it whenever you like.
    """
    from ..common.local_page import LOOPBACK, serve
    from ..server.dashboard.app import dashboard_app
    from ..server.dashboard.implied_epsilons import implied_epsilons
    from ..server.dashboard.snapshot import WatchedStudy

    own = home / "studies" / study
    folder = WatchedStudy(own if own.is_dir() else Path(study))
    read = folder.study()
    app = dashboard_app(folder, (lambda: implied_epsilons(read)) if read.privacy.enabled else None)
    status().print(Text(f"http://{LOOPBACK}:{port}/ shows {read.name}; Ctrl-C ends it."))
    serve(app, port)
