"""Carries the bytes of Flower's node to the coordinator, under the site's certificate.

Flower's SuperNode cannot show a client certificate. So it connects to this forwarder on the
loopback interface, and the forwarder to the coordinator, through the proxy that the environment
names if there is one. Bytes pass unchanged: the node's
signatures and the coordinator's answers are not its concern.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ...common.files import write_atomically
from ...errors import FedscanError
from ...federation.diagnosis.connection import explain
from ...federation.diagnosis.route import connect
from ...federation.pki.certificates import make_authority, make_server, to_pem
from ...federation.pki.keys import new_key, write_private_key
from ..border.connection import Address

_BLOCK = 65_536
_LIMIT_S = 15.0
_DAYS = 397
_LOOPBACK = "127.0.0.1"
# Flower tries again after this status, and waits longer each time.
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

#: Told what went wrong with a connection; ``None`` when one succeeded.
Notice = Callable[[FedscanError | None], None]


class Forwarder:
    """Listens on a free loopback port, in a thread of its own, until it is closed.

    Args:
        folder: Folder for the loopback certificate.
        address: Where to connect to.
        context: TLS settings towards the coordinator.
        notice: Told about each connection.
    """

    def __init__(
        self, folder: Path, address: Address, context: ssl.SSLContext, notice: Notice
    ) -> None:
        self._address, self._context, self._notice = address, context, notice
        self.authority_file = folder / "loopback-ca.crt"
        self._server_context = _loopback_context(folder, self.authority_file)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """Stop listening and cut all connections."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._carry, _LOOPBACK, 0, ssl=self._server_context)
        #: The port it listens on.
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        carrying = asyncio.all_tasks() - {asyncio.current_task()}
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Only this forwarder's end cancels it, and nobody waits for how it went.
        with contextlib.suppress(asyncio.CancelledError):
            async with _closing(writer):
                await self._carry_on(reader, writer)

    async def _carry_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._connect()
        except FedscanError as failure:
            self._notice(failure)
            with contextlib.suppress(OSError):
                writer.write(_UNAVAILABLE)
                await writer.drain()
            return
        self._notice(None)
        # Either side may go at any time; Flower asks again.
        async with _closing(far_writer):
            with contextlib.suppress(OSError):
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._address.host, self._address.port
        connection = await asyncio.to_thread(connect, host, port, _LIMIT_S)
        try:
            async with asyncio.timeout(_LIMIT_S):
                return await asyncio.open_connection(
                    sock=connection, ssl=self._context, server_hostname=host
                )
        except (OSError, TimeoutError) as error:
            connection.close()
            raise explain(error, host, port) from error
        except asyncio.CancelledError:
            connection.close()
            raise


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(_BLOCK):
        writer.write(block)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection afterwards and wait until it is: a loop that ends would leave it open."""
    try:
        yield
    except asyncio.CancelledError:
        writer.transport.abort()  # without waiting for the other side's farewell
        raise
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_LIMIT_S):
                await writer.wait_closed()


def _loopback_context(folder: Path, authority_file: Path) -> ssl.SSLContext:
    """Make a certificate for the loopback address, anew at each start, and trust it in a file."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_file, certificate_file = folder / "loopback.key", folder / "loopback.crt"
    key_file.unlink(missing_ok=True)
    authority_key, key = new_key(), new_key()
    authority = make_authority("loopback", authority_key, days=_DAYS)
    certificate = make_server([_LOOPBACK], key.public_key(), authority, authority_key, days=_DAYS)
    write_private_key(key_file, key)
    write_atomically(certificate_file, to_pem(certificate))
    write_atomically(authority_file, to_pem(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context
