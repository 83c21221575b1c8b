"""The reader study's web application, for this machine alone. It never opens the key."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ..errors import FedscanError
from .answers import RATINGS, Answer, AnswerBook
from .study import ReaderStudy

#: Only the machine itself can reach the page: it has no log-in.
LOOPBACK = "127.0.0.1"
#: Other names would be a page elsewhere that had its own name resolve to this machine.
_HOSTS = ["127.0.0.1", "localhost"]
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Given(BaseModel):
    """An answer as the page sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reader: str = Field(max_length=64)
    item: str = Field(max_length=64)
    rating: int
    seconds: float = Field(ge=0, le=1e7, allow_inf_nan=False)


def readers_app(study: ReaderStudy) -> FastAPI:
    """Make the application of a study."""
    app = FastAPI(title="fedscan", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)
    book = AnswerBook(study)

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable) -> Response:  # type: ignore[type-arg]
        response: Response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(FedscanError)
    async def refuse(request: Request, failure: FedscanError) -> Response:
        return JSONResponse({"detail": str(failure)}, status_code=422)

    for path, (name, kind) in _FILES.items():
        app.get(path)(_file(name, kind))

    @app.get("/reading.json")
    def reading(reader: str) -> dict[str, object]:
        answers = book.of(reader)
        return {
            "study": study.name,
            "ratings": RATINGS,
            "items": [
                {"item": item, "rating": answers[item].rating if item in answers else None}
                for item in study.order(reader)
            ],
        }

    @app.get("/images/{item}.png")
    def image(item: str) -> Response:
        if item not in study.items:
            raise HTTPException(404, "The study has no such image.")
        return Response(study.image(item), media_type="image/png")

    # A page elsewhere can send a form here, but not JSON without being asked first.
    @app.post("/answers", status_code=204)
    def answer(given: Given, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(415, "Answers come as JSON.")
        book.add(given.reader, Answer(item=given.item, rating=given.rating, seconds=given.seconds))
        return Response(status_code=204)

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


def _file(name: str, kind: str) -> Callable[[], Response]:
    content = resources.files(__package__).joinpath("static", name).read_bytes()

    def send() -> Response:
        return Response(content, media_type=kind)

    return send
