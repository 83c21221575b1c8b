"""Who may use the page: whoever has the token that was printed at its start, from no other page.

The token comes in a header of its own, which no form and no image of another page can send: a
browser asks before it sends one elsewhere, and nobody here says yes. It is in no cookie, so a
browser never adds it by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from fastapi import HTTPException, Request

_SCHEME = "Bearer "


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


def access_check(token: str) -> Callable[[Request], None]:
    """Return what lets a request in, or refuses it.

    Args:
        token: The token.
    """

    def check(request: Request) -> None:
        headers = request.headers
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers.get('host', '')}":
            raise HTTPException(403, "Another page asks.")
        # Browsers say from where they are asked; what is no browser does not.
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise HTTPException(403, "Another page asks.")
        own_token = headers.get("authorization", "").removeprefix(_SCHEME)
        if not secrets.compare_digest(own_token.encode(), token.encode()):
            raise HTTPException(401, "Give the token that `fedscan site page` printed.")

    return check
