"""The key that signs what was generated."""

from __future__ import annotations

import os
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..common.signing import open_signing_key

#: Names the key's file where no other is given, here and for the commands.
SIGNING_KEY_VARIABLE = "FEDSCAN_SIGNING_KEY"


def own_signing_key(path: Path | None = None) -> Ed25519PrivateKey:
    """Open the key at a path, or the user's own; it is made on first use.

    Raises:
        SignatureError: If the file is no Ed25519 key or cannot be read or made.
    """
    setting = os.environ.get(SIGNING_KEY_VARIABLE)
    own = Path(setting) if setting else Path(click.get_app_dir("fedscan")) / "signing.key"
    return open_signing_key(path or own)
