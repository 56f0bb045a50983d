"""A proxy for the connections to the tier behind, which does to their data what netem does to packets."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .network import Impairment

SEGMENT = 1448  # bytes of data in a packet of a usual network
RETRANSMISSION = 0.2  # seconds until Linux sends a lost packet again, at least
_LONGEST_STALL = 60.0
_READ = 64 * 1024
_QUEUE = 64  # pieces under way; more wait in the sender's socket
_CONNECT_SECONDS = 10.0
_DRAIN_SECONDS = 12.0  # a reloaded nginx keeps its old connections for 10 s at most
_ORIGINAL_DESTINATION = 80  # linux/netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h
_ADDRESSES = {socket.AF_INET: (socket.SOL_IP, "!2xH4s8x"), socket.AF_INET6: (socket.IPPROTO_IPV6, "!2xH4x16s4x")}


class Channel:
    """One direction of a connection: pieces of data arrive later, in their order.

    Args:
        impairment: What happens to them.
        latency: Whether this direction has the latency; loss and bandwidth are those of both.
        passing: Set once they pass unimpaired.
    """

    def __init__(self, impairment: Impairment, *, latency: bool, passing: asyncio.Event) -> None:
        self._impairment = impairment
        self._latency = latency
        self._passing = passing
        self._arrival = 0.0  # of the latest piece
        self._random = random.Random()  # noqa: S311

    def arrival(self, size: int, now: float) -> float:
        """Return when a piece of data arrives that is sent now."""
        if self._passing.is_set():
            return now
        one = self._impairment
        begin = max(now, self._arrival if one.bandwidth else now)
        delay = size / one.bandwidth if one.bandwidth else 0.0
        if self._latency:
            delay += max(0.0, one.latency + self._random.uniform(-one.jitter, one.jitter))
        delay += self._stall(size)
        # TCP delivers in order: what follows a delayed piece waits for it.
        self._arrival = max(self._arrival, begin + delay)
        return self._arrival

    def _stall(self, size: int) -> float:
        """Return how long TCP takes to send lost packets again; twice as long after each further loss."""
        one, stall, pause = self._impairment, 0.0, RETRANSMISSION
        lost = 1 - (1 - one.loss) ** -(-size // SEGMENT)
        while stall < _LONGEST_STALL and self._random.random() < lost:
            stall, pause, lost = stall + pause, pause * 2, one.loss
        return stall

    async def transmit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy from one side to the other until the first ends."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUE)
        sending = asyncio.ensure_future(self._send(queue, writer))
        try:
            while not sending.done() and (data := await reader.read(_READ)):
                await queue.put((self.arrival(len(data), time.monotonic()), data))
            await queue.put((0.0, b""))
            await sending
        finally:
            sending.cancel()

    async def _send(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            arrival, data = await queue.get()
            if not data:
                writer.write_eof()
                return
            if (left := arrival - time.monotonic()) > 0:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._passing.wait(), left)
            writer.write(data)
            await writer.drain()


class Proxy:
    """Forwards redirected connections to where they were going, in a thread of its own.

    Args:
        impairment: What happens to their data.
        mark: Mark of its own connections.
    """

    def __init__(self, impairment: Impairment, mark: int) -> None:
        self._impairment = impairment
        self._mark = mark
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._passing: asyncio.Event | None = None
        self._servers: list[asyncio.AbstractServer] = []

    def start(self) -> int:
        """Accept connections; return the port."""
        threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def stop_impairing(self) -> None:
        """Let data pass from now on, what is under way included."""
        if self._passing:
            self._loop.call_soon_threadsafe(self._passing.set)

    def wait_until_unused(self) -> None:
        """Wait until all connections have ended, but not for ever."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._connections and time.monotonic() < deadline:
            time.sleep(0.05)

    async def _listen(self) -> int:
        self._passing = asyncio.Event()
        first = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = first.sockets[0].getsockname()[1]
        self._servers = [first]
        with suppress(OSError):  # a kernel without IPv6
            self._servers.append(await asyncio.start_server(self._accept, "::1", port))
        return port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task  # noqa: S101
        self._connections.add(task)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.TimeoutError):  # noqa: UP041 (Python 3.9's own)
            writer.transport.abort()  # the client sees a connection that broke, as without a proxy
        finally:
            self._connections.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._passing  # noqa: S101
        accepted = writer.get_extra_info("socket")
        forth = Channel(self._impairment, latency=True, passing=self._passing)
        back = Channel(self._impairment, latency=False, passing=self._passing)
        outgoing = await self._connect(accepted.family, _destination(accepted))
        behind_reader, behind_writer = await asyncio.open_connection(sock=outgoing)
        directions = [
            asyncio.ensure_future(forth.transmit(reader, behind_writer)),
            asyncio.ensure_future(back.transmit(behind_reader, writer)),
        ]
        try:
            await asyncio.gather(*directions)
        finally:
            for direction in directions:
                direction.cancel()
            behind_writer.transport.abort()

    async def _connect(self, family: int, destination: tuple[str, int]) -> socket.socket:
        outgoing = socket.socket(family, socket.SOCK_STREAM)
        try:
            outgoing.setblocking(False)
            outgoing.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self._mark)
            outgoing.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connecting = asyncio.get_running_loop().sock_connect(outgoing, destination)
            await asyncio.wait_for(connecting, _CONNECT_SECONDS)
        except BaseException:
            outgoing.close()
            raise
        return outgoing


def _destination(accepted: socket.socket) -> tuple[str, int]:
    """Return where a redirected connection was going."""
    level, layout = _ADDRESSES[socket.AddressFamily(accepted.family)]
    port, address = struct.unpack(layout, accepted.getsockopt(level, _ORIGINAL_DESTINATION, struct.calcsize(layout)))
    return socket.inet_ntop(accepted.family, address), port
