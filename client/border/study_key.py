"""Giving a study a key before it is approved: only then can it have a roster to approve.

A public key says nothing about patients, costs nothing and lets nobody in.
"""

from __future__ import annotations

import json

import numpy as np

from ...errors import ProtocolError
from ...federation.joint.roster import ROSTER
from ...federation.protocol import KEY, RoundReply, RoundRequest
from ..answers.joint.pairs import study_key
from ..terms import is_joint, read_privacy
from .reception import Reception


def key_reply(request: RoundRequest, reception: Reception) -> RoundReply:
    """Return this site's public keys for a study, the same ones every time.

    Raises:
        FederationError: If the site's own identity cannot be read.
        PausedError: If the site is paused.
        ProtocolError: If the study sums nothing jointly, has its roster already, or too many
            studies have asked.
        RosterError: If the site's keys for the study are damaged.
    """
    reception.require_open()
    if not is_joint(read_privacy(request.terms)) or ROSTER in request.terms or request.tensors:
        raise ProtocolError("Keys are given to a joint study that has no roster yet.")
    key = study_key(reception.study_keys, request.study(), reception.name, reception.identity())
    content = json.dumps(key.public.to_dict(), sort_keys=True).encode()
    return RoundReply(
        site=reception.name,
        request=request.digest(),
        tensors={KEY: np.frombuffer(content, np.uint8)},
    )
