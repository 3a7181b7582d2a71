"""Bytes between a browser and a web server whose address was judged: a tunnel or one exchange."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

from omni_pipeline.gateways.egress.requests import DeclinedError, read_head

_CHUNK_BYTES = 64 * 1024
_FLUSH_SECONDS = 5.0

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b")
_FIRST_FINAL_STATUS = 200

# A web server speaks neither about this connection nor for the proxy: on a 407 from the web the
# browser would throw the proxy's credentials away, or look for others.
_NOT_RETURNED = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-connection",
        b"upgrade",
    }
)
_NEVER_FROM_THE_WEB = frozenset(
    {HTTPStatus.SWITCHING_PROTOCOLS, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """An open connection; leaving it flushes after success, and cuts it off after an error."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.writer.transport.abort()
            return
        self.writer.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.writer.wait_closed()
        except OSError:
            self.writer.transport.abort()


class Relay:
    """Moves bytes until either side ends, or none has moved for ``idle_seconds``.

    Args:
        browser: The side that asked.
        web: The side that was dialled.
        idle_seconds: Of both directions together: a stream of events only ever goes down.
        head_bytes: Most of an answer's head.
        received: Is told the size of every piece that comes from the web.
    """

    def __init__(
        self,
        browser: Wire,
        web: Wire,
        *,
        idle_seconds: float,
        head_bytes: int,
        received: Callable[[int], None],
    ) -> None:
        self._browser = browser
        self._web = web
        self._idle = asyncio.timeout(idle_seconds)
        self._idle_seconds = idle_seconds
        self._head_bytes = head_bytes
        self._received = received

    async def tunnel(self) -> None:
        """Pass everything, both ways.

        Raises:
            OSError: A side broke off, or both were silent for too long (``TimeoutError``).
        """
        self._browser.writer.write(_ESTABLISHED)
        await self._until_one_ends(
            self._copy(self._browser, self._web), self._copy(self._web, self._browser)
        )

    async def stream(self, head: bytes, body_bytes: int) -> None:
        """Pass one request and its answer, and nothing that follows them (S-41).

        Raises:
            DeclinedError: The web server did not answer in HTTP/1.
            OSError: A side broke off, or both were silent for too long (``TimeoutError``).
        """
        self._web.writer.write(head)
        await self._until_one_ends(self._pass_body(body_bytes), self._pass_answer())

    async def _until_one_ends(self, *directions: Coroutine[None, None, None]) -> None:
        tasks = [asyncio.create_task(direction) for direction in directions]
        try:
            async with self._idle:
                ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()

    async def _copy(self, source: Wire, sink: Wire) -> None:
        while data := await self._read(source, _CHUNK_BYTES):
            await _write(sink, data)

    async def _pass_body(self, body_bytes: int) -> None:
        left = body_bytes
        while left and (data := await self._read(self._browser, min(left, _CHUNK_BYTES))):
            left -= len(data)
            await _write(self._web, data)
        # A byte more would be a second request, for which this connection was never judged; the
        # end means that nobody waits for the answer any longer. Both are the end of the exchange.
        await self._browser.reader.read(1)

    async def _pass_answer(self) -> None:
        await _write(self._browser, await self._final_head())
        await self._copy(self._web, self._browser)

    async def _read(self, source: Wire, max_bytes: int) -> bytes:
        data = await source.reader.read(max_bytes)
        self._note(source, len(data))
        return data

    def _note(self, source: Wire, size: int) -> None:
        self._idle.reschedule(asyncio.get_running_loop().time() + self._idle_seconds)
        if source is self._web:
            self._received(size)

    async def _final_head(self) -> bytes:
        """The head of the answer itself; those of interim answers (1xx) are skipped."""
        status = 0
        while status < _FIRST_FINAL_STATUS:
            lines = await self._answer_lines()
            match = _STATUS_LINE.match(lines[0])
            status = int(match[1]) if match else 0
            if not match or status in _NEVER_FROM_THE_WEB:
                raise _bad_answer("is none to a request in HTTP/1.1")
        kept = [line for line in lines[:-1] if _name(line) not in _NOT_RETURNED]
        return b"".join([*kept, b"Connection: close\r\n\r\n"])

    async def _answer_lines(self) -> list[bytes]:
        try:
            lines = await read_head(self._web.reader, max_bytes=self._head_bytes)
        except (EOFError, ValueError):
            raise _bad_answer("ends within its head, or has too large a one") from None
        self._note(self._web, sum(map(len, lines)))
        return lines


async def _write(sink: Wire, data: bytes) -> None:
    sink.writer.write(data)
    await sink.writer.drain()


def _bad_answer(reason: str) -> DeclinedError:
    return DeclinedError(HTTPStatus.BAD_GATEWAY, f"the server's answer {reason}")


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].strip().lower()
