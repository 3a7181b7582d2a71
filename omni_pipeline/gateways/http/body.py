"""Reading a body off the wire: inflated here, capped before and after, and never slowly for long.

The HTTP library's own decoding is not used: it inflates first and lets the caller count after
(F-D27, S-45: 3.4 kB on the wire took more than 6 GiB).
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

import httpcore2

from omni_pipeline import faults
from omni_pipeline.domain.web.inflate import InflateError, Inflater, TooMuchError
from omni_pipeline.domain.web.outcomes import Unreachable, Unusable
from omni_pipeline.gateways.http.limits import KIB, FetchLimits
from omni_pipeline.gateways.http.messages import ResponseBody

# A connection is worth this much reading to be used again, and no more.
_DRAINED_BYTES = 64 * KIB
_DRAIN_SECONDS = 1.0
# What gzip adds to data that it cannot shrink.
_CODING_OVERHEAD_BYTES = 64 * KIB


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the caller takes: HTML only or any type; a start of it or nothing when it is larger."""

    max_bytes: int
    html_only: bool = True
    takes_start: bool = False


@dataclass(frozen=True, kw_only=True)
class Body:
    data: bytes
    truncated: bool


async def read_body(
    url: str, body: ResponseBody, coding: str, *, wanted: Wanted, limits: FetchLimits
) -> Body | Unusable | Unreachable:
    """Read and inflate the body of an answer, within the limits.

    Raises:
        TimeoutError: It trickles.
        httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException: It broke off.
    """
    inflater = Inflater(coding, max_bytes=wanted.max_bytes)
    data = BytesIO()  # gives its bytes away without a copy, as joining pieces would not
    truncated = False
    watch = _Watch(wanted.max_bytes, limits)
    try:
        async with asyncio.timeout(limits.first_byte_seconds) as silence:
            while chunk := await body.read():
                silence.reschedule(watch.count(len(chunk)))
                data.writelines(inflater.feed(chunk))
                watch.check_travelled()
                faults.point("CP03")
        data.writelines(inflater.finish())
    except TooMuchError:
        if not wanted.takes_start:
            return _too_large(url, wanted.max_bytes)
        truncated = True
    except InflateError as error:
        return _damaged(url, error)
    return Body(data=data.getvalue(), truncated=truncated)


async def drain(body: ResponseBody) -> None:
    """Read a short body that nobody wants, so that the connection can serve the next request."""
    drained = 0
    with suppress(TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while drained <= _DRAINED_BYTES and (chunk := await body.read()):
                drained += len(chunk)


class _Watch:
    """Notices when too much travels for one body, or too little for too long."""

    def __init__(self, max_bytes: int, limits: FetchLimits) -> None:
        self._max_bytes = max_bytes + _CODING_OVERHEAD_BYTES
        self._limits = limits
        self._clock = asyncio.get_running_loop().time
        self._travelled = 0
        self._window_bytes = 0
        self._window_start = self._clock()

    def count(self, size: int) -> float:
        """Count a chunk; returns when the next one is due at the latest.

        Raises:
            TimeoutError: The body trickles.
        """
        now = self._clock()
        self._travelled += size
        self._window_bytes += size
        seconds = now - self._window_start
        if seconds >= self._limits.slow_seconds:
            if self._window_bytes < seconds * self._limits.slow_bytes_per_second:
                raise TimeoutError
            self._window_bytes, self._window_start = 0, now
        return now + self._limits.first_byte_seconds

    def check_travelled(self) -> None:
        """Raise ``TooMuchError`` when more travelled than could be of use."""
        if self._travelled > self._max_bytes:
            raise TooMuchError


def _too_large(url: str, max_bytes: int) -> Unusable:
    return Unusable(
        url=url, kind="permanent.too_large", reason=f"{url} is larger than {max_bytes} bytes"
    )


def _damaged(url: str, error: InflateError) -> Unusable | Unreachable:
    if error.ended_early:
        return Unreachable(url=url, kind="transient.connection", reason=f"{url}: {error}")
    return Unusable(url=url, kind="permanent.encoding", reason=f"{url}: {error}")
