"""The reader study's web application, for this machine alone. It never opens the key."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...common.local_page import local_page
from ...errors import FedscanError
from ...model.intensity import HU_KNOTS, MODEL_KNOTS
from .answers import RATINGS, Answer, AnswerBook
from .study import ReaderStudy

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
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
    app = local_page(__package__, _FILES, cache="no-store")
    book = AnswerBook(study)

    @app.exception_handler(FedscanError)
    async def refuse(request: Request, failure: FedscanError) -> Response:
        return JSONResponse({"detail": str(failure)}, status_code=422)

    @app.get("/reading.json")
    def reading(reader: str) -> dict[str, object]:
        answers = book.of(reader)
        return {
            "study": study.name,
            "ratings": RATINGS,
            # How grey levels of CT lie in Hounsfield units: by straight lines between these.
            "hounsfield": {"grey": ((MODEL_KNOTS + 1) / 2).tolist(), "units": HU_KNOTS.tolist()},
            "items": [
                {
                    "item": item,
                    "rating": answers[item].rating if item in answers else None,
                    "ct": item in study.ct,
                }
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
    def answer(body: Given, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(415, "Answers come as JSON.")
        book.add(body.reader, Answer(item=body.item, rating=body.rating, seconds=body.seconds))
        return Response(status_code=204)

    return app
