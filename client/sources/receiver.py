"""A C-STORE receiver: scans that a PACS or a scanner sends wait here until they are published."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom._globals import ALL_TRANSFER_SYNTAXES
from pynetdicom.sop_class import Verification

from ...common.locks import holding
from ...common.progress import Progress
from ...errors import DataError, FederationError
from ...imaging.dicom.quiet import quiet_pydicom
from .instance import instance_of, new_file, place
from .mirror import IsOptedOut, Mirror, MirrorReport, nobody
from .settings import StoreSource

#: Statuses of C-STORE (PS3.4, table B.2-1).
_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
_LEAST_FREE = 512 << 20
_ASSOCIATIONS = 4
#: Seconds of silence after which an association ends, in and between messages.
_SILENCE_S = 60


@contextmanager
def receiver(
    source: StoreSource, root: Path, on_count: Callable[[int], None] = lambda count: None
) -> Iterator[int]:
    """Receive instances while the block runs, into ``arrived/`` of a mirror.

    An instance is acknowledged once it is whole on the disk. It becomes part of the data set by
    :func:`publish`, so that scans which arrive in the middle of a study do not change it. An AE
    title is a name that anybody can give: let a firewall decide who reaches the port.

    Args:
        source: Where to listen and whom to accept.
        root: Folder of the mirror.
        on_count: Told how many instances were accepted so far.

    Yields:
        The TCP port.

    Raises:
        DataError: If another receiver uses the folder.
        FederationError: If the address cannot be listened at.
    """
    incoming, arrivals = root / "receiving", root / "arrived"
    for folder in (incoming, arrivals):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def busy(holder: str) -> DataError:
        return DataError(
            f"Another receiver (process {holder}) stores into {root}.",
            hint="One is enough for all senders.",
        )

    lock = holding(root / "receiver.lock", 0, busy)
    with lock, quiet_pydicom(), _streaming_to(incoming):
        for path in incoming.iterdir():
            path.unlink()
        keeper = _Keeper(incoming, arrivals, on_count)
        try:
            server = _application(source).start_server(
                (source.host, source.port),
                block=False,
                evt_handlers=[(evt.EVT_C_STORE, keeper.store)],
            )
        except OSError as error:
            raise FederationError(
                f"{source.host}:{source.port} cannot be listened at: {error.strerror}.",
                hint="Another program may have the port; ports below 1024 need more rights.",
            ) from error
        try:
            yield int(server.socket.getsockname()[1])
        finally:
            server.shutdown()


def publish(root: Path, report: Progress, opted_out: IsOptedOut = nobody) -> MirrorReport:
    """Make what has arrived part of the data set; can be killed at any moment.

    Args:
        root: Folder of the mirror.
        report: Told how many instances are done.
        opted_out: Whose instances are removed instead.

    Raises:
        DataError: If another process changes the mirror.
    """
    with Mirror.open(root) as mirror:
        listing, withheld = mirror.begin_listing(), mirror.remove_patients(opted_out)
        arrivals = root / "arrived"
        files = sorted(arrivals.rglob("*.dcm"))
        new = 0
        for number, file in enumerate(files, start=1):
            if (instance := instance_of(file)) is not None:
                new += place(file, mirror.images, instance)
                mirror.note(instance, listing)
            report("instances", number, len(files))
        studies, instances = mirror.count()
        return MirrorReport(studies, instances, new, 0, 0, withheld)


class _Keeper:
    """Takes the instances of all associations; each association has a thread of its own."""

    def __init__(self, incoming: Path, arrivals: Path, on_count: Callable[[int], None]) -> None:
        self._incoming, self._arrivals, self._on_count = incoming, arrivals, on_count
        self._counting = threading.Lock()
        self._count = 0

    def store(self, event: evt.Event) -> int:
        """Put one instance in its place, and only then say that it is here."""
        try:
            if shutil.disk_usage(self._arrivals).free < _LEAST_FREE:
                return _OUT_OF_RESOURCES
            # The library still holds its own file open and removes it by name.
            file = new_file(self._incoming)
            os.replace(event.dataset_path, file)
            instance = instance_of(file)
            if instance is None or instance.uid != event.request.AffectedSOPInstanceUID:
                file.unlink()
                return _CANNOT_UNDERSTAND
            place(file, self._arrivals, instance)
        except OSError:
            return _OUT_OF_RESOURCES
        with self._counting:
            self._count += 1
            self._on_count(self._count)
        return _SUCCESS


def _application(source: StoreSource) -> AE:
    application = AE(ae_title=source.title)
    application.require_called_aet = True
    application.require_calling_aet = list(source.senders)
    application.maximum_associations = _ASSOCIATIONS
    application.network_timeout = application.dimse_timeout = _SILENCE_S
    application.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:
        application.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
    return application


@contextmanager
def _streaming_to(folder: Path) -> Iterator[None]:
    """Let pynetdicom write what it receives to a folder piece by piece, not keep it in memory."""
    before = _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir
    _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir = True, str(folder)
    try:
        yield
    finally:
        _config.STORE_RECV_CHUNKED_DATASET, tempfile.tempdir = before
