"""Asks a site's real ClientApp one question, in a process that dies over it.

``python ask_site.py HOME REQUEST MOMENT``: REQUEST is a pickle of records.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path

from fedscan.client.answers import round as site_round
from fedscan.client.border import reply as border
from fedscan.model.patient_loss import DiffusionLoss
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Message


def _die(*arguments: object, **options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_over(moment: str) -> None:
    """Arrange for kill -9 at a moment of the round."""
    if moment == "before":  # paid for, not begun
        site_round.run_private_steps = _die
    elif moment == "in":  # in the middle of the second step's losses
        draw, seen = DiffusionLoss.draw, []

        def counted(loss: DiffusionLoss, *arguments: object) -> object:
            seen.append(loss)
            return _die() if len(seen) == 4 else draw(loss, *arguments)

        DiffusionLoss.draw = counted
    elif moment == "after":  # on record in the ledger, not yet in the audit log
        border.check_release = _die


def main(home: str, request: str, moment: str) -> None:
    """Ask, and die."""
    _die_over(moment)
    records = pickle.loads(Path(request).read_bytes())
    with InProcessGrid(load_client_app, [{"home": home}]) as grid:
        grid.send_and_receive([Message(records, grid.get_node_ids()[0], "train")])


if __name__ == "__main__":
    main(*sys.argv[1:])
