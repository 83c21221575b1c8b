"""The program of a site's further device: opens the base, and adds to the sums that it is sent.

It is told what to open on its standard input, says on its standard output when it is ready, and
ends when the input does: with whoever started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import torch

from ...federation.wire import unpack
from ...model.computing.memory import is_out_of_memory
from ...model.patient_loss import DiffusionRowLosses
from ...model.settings import TrainableSettings
from ...privacy.distributed.device import serve_device
from ...privacy.distributed.link import Link
from .opened import Start, open_generator

#: What the program says when it is ready.
READY = "ready"


@dataclass(frozen=True, kw_only=True)
class DeviceJob:
    """What the process of a further device is told. All of it is public to the study.

    Attributes:
        meeting: File that the processes meet through.
        rank: The process' number.
        size: Number of processes.
        base: Folder of the base.
        image_size: Side of the study's images in pixels.
        trainable: What trains.
        device: Where it computes.
        threads: Threads that it computes with: as many as the process that leads, for the bytes.
        start: File of what the study's warm-up changed in the base; none if empty.
        start_digest: Its digest.
        computed_twice: Whether most of a pass is computed a second time to keep less of it.
    """

    meeting: str
    rank: int
    size: int
    base: str
    image_size: int
    trainable: TrainableSettings
    device: str
    threads: int
    start: str = ""
    start_digest: str = ""
    computed_twice: bool = False

    def to_line(self) -> str:
        """Write it as one line."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read what :meth:`to_line` wrote."""
        values = json.loads(line)
        return cls(**{**values, "trainable": TrainableSettings(**values["trainable"])})


def main() -> None:
    """Serve one site's process until it stops this one, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = DeviceJob.from_line(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    torch.set_num_threads(job.threads)
    start = Start(job.start_digest, unpack(Path(job.start).read_bytes())) if job.start else None
    base_model = open_generator(Path(job.base), job.trainable, job.device, start, job.image_size)
    base_model.generator.compute_twice(job.computed_twice)
    print(READY, flush=True)
    link = Link(Path(job.meeting), job.rank, job.size)
    losses = DiffusionRowLosses(generator=base_model.generator)
    serve_device(base_model.parameters, losses, link, is_out_of_memory)


def _end_with_input() -> None:
    """End the process when the one that started it closes the input, in whatever way it ends."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
