"""The processes of a site's further devices: begun once, kept while a study goes on, ended whole.

An error of any of them ends all: the answer fails, and when it is asked for again, it is made anew
from the secret that is paid for, with new processes.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import torch

from ...errors import ModelError
from ...federation.wire import pack
from ...privacy.distributed.link import Link
from ..site import Site
from ..terms import StudyTerms
from . import device_process
from .device_process import READY, DeviceJob
from .opened import OpenGenerator

#: How long a process may take to end by itself.
_PATIENCE_S = 10.0


@contextmanager
def linked_devices(
    site: Site, terms: StudyTerms, base_model: OpenGenerator
) -> Iterator[Link | None]:
    """Give the link to a site's further devices; ``None`` if it has none.

    Args:
        site: The site, which names its devices.
        terms: The study's terms.
        base_model: The generator that it trains, as it is opened on the first device.

    Raises:
        ModelError: If a process does not come up.
    """
    if not site.other_devices:
        yield None
        return
    job = DeviceJob(
        meeting="",
        rank=0,
        size=1 + len(site.other_devices),
        base=str(site.base),
        image_size=base_model.generator.image_size,
        trainable=terms.trainable,
        device="",
        threads=torch.get_num_threads(),
        start_digest=base_model.start.digest if base_model.start else "",
        computed_twice=base_model.generator.unet.is_gradient_checkpointing,
    )
    if not _groups or not _groups[0].serves(job, site.other_devices):
        end_processes()
        _groups.append(_Processes(job, site.other_devices, base_model))
    try:
        yield _groups[0].link
    except BaseException:
        # Whatever it was: nobody knows where in a sum the others are.
        end_processes()
        raise


def end_processes() -> None:
    """End the processes of further devices, if there are any."""
    while _groups:
        _groups.pop().end()


class _Processes:
    """Those of all further devices, and the link to them."""

    def __init__(self, job: DeviceJob, devices: tuple[str, ...], base_model: OpenGenerator) -> None:
        self._job, self._devices = job, devices
        self._folder = TemporaryDirectory(prefix="fedscan-devices-")
        folder, start = Path(self._folder.name), base_model.start
        if start is not None:
            (folder / "start").write_bytes(pack(start.tensors))
        self._processes: list[subprocess.Popen[str]] = []
        job = replace(
            job, meeting=str(folder / "meeting"), start=str(folder / "start") if start else ""
        )
        try:
            for rank, device in enumerate(devices, start=1):
                self._processes.append(_begun(replace(job, rank=rank, device=device)))
            for device, process in zip(devices, self._processes, strict=True):
                _require_ready(device, process)
            self.link = Link(Path(job.meeting), 0, job.size)
        except BaseException:
            self.end()
            raise

    def serves(self, job: DeviceJob, devices: tuple[str, ...]) -> bool:
        """Whether they are alive, and opened what is asked for."""
        alive = all(process.poll() is None for process in self._processes)
        return alive and (job, devices) == (self._job, self._devices)

    def end(self) -> None:
        """End all of them and take their folder away."""
        for process in self._processes:
            with suppress(OSError):  # it is gone already
                _pipe(process.stdin).close()
        for process in self._processes:
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _pipe(process.stdout).close()
        self._folder.cleanup()


#: Those that are kept, at most once: what a process keeps between rounds, as the opened base.
_groups: list[_Processes] = []
atexit.register(end_processes)


def _begun(job: DeviceJob) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", device_process.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # One that died over its first lines says so when it does not become ready.
    with suppress(BrokenPipeError):
        pipe = _pipe(process.stdin)
        pipe.write(job.to_line())
        pipe.flush()
    return process


def _require_ready(device: str, process: subprocess.Popen[str]) -> None:
    if _pipe(process.stdout).readline().strip() != READY:
        raise ModelError(
            f"The process of the further device {device} did not come up.",
            hint="The site's logs/supernode.log says what it met. Name only devices that work in "
            "site.toml.",
        )


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
