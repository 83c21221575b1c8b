"""What the processes of one machine say to each other: named tensors, and one sum over all.

They meet through a file that only their owner can read, and speak over loopback by Gloo, PyTorch's
own transport for any kind of device. A process that dies ends the connection at once, and whoever
waits for it is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, distributed

#: A process waits so long for a message: from one round of a study to the next.
_PATIENCE = timedelta(days=1)
_LOOPBACK = "127.0.0.1"


class Link:
    """One process' end of the connection of several.

    Args:
        place: File that they meet through; it must not be there before the first comes.
        rank: Number of this process; the one that leads is 0.
        size: Number of processes.
    """

    def __init__(self, place: Path, rank: int, size: int) -> None:
        gloo: Any = distributed.ProcessGroupGloo  # PyTorch's stubs know little of it
        options = gloo._Options()
        options._devices = [gloo.create_device(hostname=_LOOPBACK)]
        options._timeout = _PATIENCE
        store = distributed.FileStore(str(place), size)
        self._group = gloo(store, rank, size, options)
        self._under_way: dict[int, list[tuple[distributed.Work, Tensor]]] = {}
        #: Number of processes.
        self.size = size

    def send(self, to: int, kind: int, tensors: Mapping[str, Tensor]) -> None:
        """Begin to send a message; waits only until the one before has been taken.

        Args:
            to: Number of the process that it is for.
            kind: What it is.
            tensors: What it holds, on any device.

        Raises:
            ConnectionError: If the other process has died.
        """
        self._wait(to)
        own = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        content = torch.frombuffer(bytearray(save(own)), dtype=torch.uint8)
        heading = torch.tensor([kind, len(content)])
        with _told():
            self._under_way[to] = [
                (self._group.send([part], to, tag), part)
                for tag, part in enumerate((heading, content))
            ]

    def receive(self, source: int) -> tuple[int, dict[str, Tensor]]:
        """Wait for the next message of a process.

        Returns:
            What it is, and what it holds.

        Raises:
            ConnectionError: If the other process has died.
        """
        heading = torch.zeros(2, dtype=torch.int64)
        with _told():
            self._group.recv([heading], source, 0).wait()
            content = torch.empty(int(heading[1]), dtype=torch.uint8)
            self._group.recv([content], source, 1).wait()
        # A product's last bits depend on where its factors lie: copies lie as PyTorch's own do.
        received = load(content.numpy().tobytes())
        return int(heading[0]), {name: value.clone() for name, value in received.items()}

    def add_up(self, total: Tensor) -> None:
        """Add the tensors of all processes; the one that leads has the sum in its own.

        Args:
            total: float64, on the CPU; overwritten in every process.

        Raises:
            ConnectionError: If another process has died.
        """
        for to in list(self._under_way):
            self._wait(to)
        with _told():
            self._group.reduce([total]).wait()

    def _wait(self, to: int) -> None:
        with _told():
            for work, _ in self._under_way.pop(to, ()):
                work.wait()


@contextmanager
def _told() -> Iterator[None]:
    """Tell the end of a connection from other errors: Gloo has no class of its own for it."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError("Another process of this machine is gone.") from error
