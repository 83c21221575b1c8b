"""The dashboard's web application: it reads a study's folder and changes nothing."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Sequence

from fastapi import FastAPI, HTTPException, Request, Response

from ...common.local_page import local_page
from ...errors import FedscanError
from ..previews import preview_file
from .snapshot import WatchedStudy, snapshot

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/chart.js": ("chart.js", "text/javascript; charset=utf-8"),
    "/words.js": ("words.js", "text/javascript; charset=utf-8"),
}
_log = logging.getLogger(__name__)


def dashboard_app(
    folder: WatchedStudy,
    epsilons_of_rounds: Callable[[], Sequence[tuple[float, float]]] | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        folder: The study to show.
        epsilons_of_rounds: Computes both epsilons that the terms imply after each number of
            rounds. It is called once, beside the page, because it may take seconds.
    """
    app = local_page(__package__, _FILES, cache="no-cache")
    epsilons = _Later(epsilons_of_rounds)

    @app.get("/state.json")
    def state(request: Request) -> Response:
        try:
            content = json.dumps(snapshot(folder, epsilons.value()), allow_nan=False).encode()
        except FedscanError as failure:
            raise HTTPException(503, failure.message) from failure
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(content, media_type="application/json", headers={"ETag": tag})

    @app.get("/previews/{number}.png")
    def preview(number: int) -> Response:
        path = preview_file(folder.previews, number)
        if not path.is_file():
            raise HTTPException(404, "There are no images of this round.")
        return Response(path.read_bytes(), media_type="image/png")

    return app


class _Later:
    """A value that is computed once, in the background, when it is first asked for."""

    def __init__(self, compute: Callable[[], Sequence[tuple[float, float]]] | None) -> None:
        self._compute = compute
        self._value: Sequence[tuple[float, float]] | None = None
        self._lock = threading.Lock()

    def value(self) -> Sequence[tuple[float, float]] | None:
        """Return the value, or ``None`` as long as there is none."""
        with self._lock:
            if self._compute is not None:
                compute, self._compute = self._compute, None
                threading.Thread(target=self._run, args=(compute,), daemon=True).start()
        return self._value

    def _run(self, compute: Callable[[], Sequence[tuple[float, float]]]) -> None:
        try:
            self._value = compute()
        except FedscanError as failure:
            # For example a budget so small that the terms leave no noise that keeps it.
            _log.warning("What the terms cost cannot be shown: %s", failure)
