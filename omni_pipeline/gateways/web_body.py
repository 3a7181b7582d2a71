"""Reading a body off the wire: inflated here, capped before and after, and never slowly for long.

The HTTP library's own decoding is not used: it inflates first and lets the caller count after
(FAULTS D27, S45: 3.4 kB on the wire took more than 6 GiB).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from io import BytesIO

import httpcore2

from omni_pipeline.domain.inflate import InflateError, Inflater, TooMuchError
from omni_pipeline.domain.outcomes import Unreachable, Unusable
from omni_pipeline.gateways.web_limits import KIB, FetchLimits

# A connection is worth this much reading to be used again, and no more.
_DRAINED_BYTES = 64 * KIB
_DRAIN_SECONDS = 1.0
# What gzip adds to data that it cannot shrink.
_CODING_OVERHEAD_BYTES = 64 * KIB


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the caller takes: HTML only or any type; a start of it or nothing when it is larger."""

    most_bytes: int
    html_only: bool = True
    takes_start: bool = False


@dataclass(frozen=True, kw_only=True)
class Body:
    data: bytes
    truncated: bool


async def read_body(
    url: str, response: httpcore2.Response, coding: str, *, wanted: Wanted, limits: FetchLimits
) -> Body | Unusable | Unreachable:
    """Read and inflate the body of ``response``, within the limits.

    Raises:
        TimeoutError: It trickles.
        httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException: It broke off.
    """
    inflater = Inflater(coding, most_bytes=wanted.most_bytes)
    data = BytesIO()  # gives its bytes away without a copy, as joining pieces would not
    truncated = False
    try:
        async with aclosing(_guarded(response, wanted.most_bytes, limits)) as chunks:
            async for chunk in chunks:
                data.writelines(inflater.feed(chunk))
        data.writelines(inflater.finish())
    except TooMuchError:
        if not wanted.takes_start:
            return _too_large(url, wanted.most_bytes)
        truncated = True
    except InflateError as error:
        return _damaged(url, error)
    return Body(data=data.getvalue(), truncated=truncated)


async def drain(response: httpcore2.Response) -> None:
    """Read a short body that nobody wants, so that the connection can serve the next request."""
    drained = 0
    with suppress(TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError):
        async with asyncio.timeout(_DRAIN_SECONDS), aclosing(response.aiter_stream()) as chunks:
            async for chunk in chunks:
                drained += len(chunk)
                if drained > _DRAINED_BYTES:
                    return


async def _guarded(
    response: httpcore2.Response, most_bytes: int, limits: FetchLimits
) -> AsyncGenerator[bytes, None]:
    """Yield the raw body; stop it when too much travels, or too little for too long."""
    clock = asyncio.get_running_loop().time
    travelled = 0
    window_bytes, window_start = 0, clock()
    async with aclosing(response.aiter_stream()) as chunks:
        async for chunk in chunks:
            travelled += len(chunk)
            window_bytes += len(chunk)
            seconds = clock() - window_start
            if seconds >= limits.slow_seconds:
                if window_bytes < seconds * limits.slow_bytes_per_second:
                    raise TimeoutError
                window_bytes, window_start = 0, clock()
            yield chunk
            if travelled > most_bytes + _CODING_OVERHEAD_BYTES:
                raise TooMuchError


def _too_large(url: str, most_bytes: int) -> Unusable:
    return Unusable(
        url=url, kind="permanent.too_large", reason=f"{url} is larger than {most_bytes} bytes"
    )


def _damaged(url: str, error: InflateError) -> Unusable | Unreachable:
    if error.ended_early:
        return Unreachable(url=url, kind="transient.connection", reason=f"{url}: {error}")
    return Unusable(url=url, kind="permanent.encoding", reason=f"{url}: {error}")
