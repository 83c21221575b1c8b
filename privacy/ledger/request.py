"""The digests that tell whether two requests ask for the very same release."""

from __future__ import annotations

import hashlib
import json


def release_digest(*, message: str, attempt: int) -> str:
    """Return the digest under which the answer to a request is reserved.

    A step repeated from its secret has the same noise, so the difference of two results from other
    data, or other software, would be free of noise. Neither needs to be in here: of one
    reservation only one result is ever put on record and may leave, whatever it was made from.

    Args:
        message: Digest of all that was asked: instructions and tensors.
        attempt: Counts from 1 the times that the answer had to be made with new noise.

    Returns:
        SHA-256 in hex.
    """
    content = json.dumps(["fedscan request 2", message, attempt])
    return hashlib.sha256(content.encode()).hexdigest()


def request_digest(*, message: str, data: str, software: str) -> str:
    """Return the digest under which earlier releases reserved a step; see :func:`release_digest`.

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
