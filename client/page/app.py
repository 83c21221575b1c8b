"""The steward's page as a web application, for this machine and one token's holder alone."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from ...common.local_page import local_page
from ..steward.home import SiteHome
from .access import access_check
from .actions import Actions
from .state import marks, state
from .tasks import Tasks

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/asking.js": ("asking.js", "text/javascript; charset=utf-8"),
    "/parts.js": ("parts.js", "text/javascript; charset=utf-8"),
    "/studies.js": ("studies.js", "text/javascript; charset=utf-8"),
    "/data.js": ("data.js", "text/javascript; charset=utf-8"),
    "/record.js": ("record.js", "text/javascript; charset=utf-8"),
}
#: A list of patients is far shorter.
_LONGEST = 5_000_000


def steward_app(home: SiteHome, token: str) -> FastAPI:
    """Make the application of a home.

    Args:
        home: The site's home.
        token: Whoever has it may do all that the home's user may do with the commands.
    """
    tasks, actions, view = Tasks(), Actions(home).table(), _View(home)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        tasks.stop()

    app = local_page(__package__, _FILES, cache="no-store")
    app.router.lifespan_context = lifespan
    router = APIRouter(prefix="/api", dependencies=[Depends(access_check(token))])

    @router.get("/state")
    def show(request: Request) -> Response:
        content, tag = view.now()
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(content, media_type="application/json", headers={"ETag": tag})

    @router.post("/actions/{name}", status_code=202)
    async def act(name: str, request: Request) -> Response:
        if name not in actions:
            raise HTTPException(404, "There is no such action.")
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(415, "Forms come as JSON.")
        content = await request.body()
        if len(content) > _LONGEST:
            raise HTTPException(413, "That is too long.")
        kind, run = actions[name]
        try:
            form = kind.model_validate_json(content)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "form"
            raise HTTPException(422, f"{field}: {first['msg']}.") from None
        task = tasks.start(partial(run, form))
        return JSONResponse({"task": task.number}, status_code=202)

    @router.get("/tasks/{number}")
    def look(number: int) -> dict[str, object]:
        task = tasks.get(number)
        if task is None:
            raise HTTPException(404, "There is no such task any more.")
        return asdict(task)

    app.include_router(router)
    return app


class _View:
    """The state as it was last read; read again only when a file of it has changed."""

    def __init__(self, home: SiteHome) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._marks: list[tuple[str, int, int]] | None = None
        self._content, self._tag = b"", ""

    def now(self) -> tuple[bytes, str]:
        """Return the state as JSON, and what tells it from another."""
        with self._lock:
            # Looked at before reading: what changes meanwhile is read the next time.
            marks_now = marks(self._home)
            if marks_now != self._marks:
                self._content = json.dumps(state(self._home), allow_nan=False).encode()
                self._tag = f'"{hashlib.sha256(self._content).hexdigest()[:32]}"'
                self._marks = marks_now
            return self._content, self._tag
