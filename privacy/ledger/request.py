"""The digest that tells whether two requests ask for the very same release."""

from __future__ import annotations

import hashlib
import json


def request_digest(*, message: str, data: str, software: str) -> str:
    """Return the digest under which a step is reserved.

    A step repeated from its secret has the same noise. On other data the difference of the
    two results would be free of noise; so whatever the result depends on belongs in here.

    Args:
        message: Digest of all that was asked: instructions and tensors.
        data: Digest of the patients and images that the step would run on. Not the data
            set's identity, which stays the same when scans are added.
        software: Versions of what computes: fedscan, torch, the device.

    Returns:
        SHA-256 in hex.
    """
    content = json.dumps(["fedscan request 1", message, data, software])
    return hashlib.sha256(content.encode()).hexdigest()
