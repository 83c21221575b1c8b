"""A web page for this machine alone: what the steward's page, dashboard and reader study share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware

#: Only the machine itself can reach the page: it has no log-in.
LOOPBACK = "127.0.0.1"

#: Names under which a browser on this machine may ask. Others would be a page elsewhere that
#: had its own name resolve to this machine (DNS rebinding).
_HOSTS = ["127.0.0.1", "localhost"]
_SHARED = {
    "/sheet.css": ("sheet.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def local_page(package: str, files: Mapping[str, tuple[str, str]], *, cache: str) -> FastAPI:
    """Make an application that sends fixed files and takes nothing from elsewhere.

    Besides those it sends the sheet and the icon of every page, ``/sheet.css`` and ``/icon.svg``.

    Args:
        package: Package with the folder ``static``.
        files: URL path to the name of a file in that folder and its media type.
        cache: Value of the header Cache-Control.
    """
    app = FastAPI(title="fedscan", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable) -> Response:  # type: ignore[type-arg]
        response: Response = await call_next(request)
        response.headers.update({**_HEADERS, "Cache-Control": cache})
        return response

    for folder, part in ((__package__, _SHARED), (package, files)):
        for path, (name, kind) in part.items():
            app.get(path)(_file(folder, name, kind))
    return app


def serve(app: FastAPI, port: int) -> None:
    """Serve the application on loopback until the process is asked to end."""
    uvicorn.run(
        app,
        host=LOOPBACK,
        port=port,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def _file(package: str, name: str, kind: str) -> Callable[[], Response]:
    content = resources.files(package).joinpath("static", name).read_bytes()

    def send() -> Response:
        return Response(content, media_type=kind)

    return send
