"""The sites' app as worker processes load it: by name, unmodified."""

from __future__ import annotations

from flwr.clientapp import ClientApp

from ..client.app import app


def load_client_app() -> ClientApp:
    """Return the ClientApp that hospitals run."""
    return app
