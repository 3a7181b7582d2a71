"""How fast a stage is and when it may end, from what it reported; in one line for people (R-C7)."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from omni_pipeline.steps.run.claimed_refresh import Progress

# What the rate is taken over, and the least that is believed.
WINDOW_SECONDS = 30.0
MIN_SECONDS = 3.0

_MINUTE = 60
_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a stage's reports say about its speed.

    Attributes:
        rate: Pages or chunks per second over the last half minute; None until there is evidence.
        seconds_left: At that rate, for what is known by now. None without a rate, and while more
            work is found than done: that end cannot be told.
    """

    elapsed_seconds: float
    rate: float | None = None
    seconds_left: float | None = None


class Speedometer:
    """Remembers the last half minute of each stage. Must be shown every report."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_at: dict[str, float] = {}
        self._reports: dict[str, deque[tuple[float, Progress]]] = {}

    def read(self, progress: Progress) -> Pace:
        """Take in a report, and say how fast its stage is now."""
        now = self._clock()
        started_at = self._started_at.setdefault(progress.stage, now)
        reports = self._reports.setdefault(progress.stage, deque())
        reports.append((now, progress))
        while len(reports) > 2 and reports[1][0] <= now - WINDOW_SECONDS:  # noqa: PLR2004 - two ends
            reports.popleft()
        return _pace(reports[0], reports[-1], elapsed_seconds=now - started_at)


def _pace(
    first: tuple[float, Progress], last: tuple[float, Progress], *, elapsed_seconds: float
) -> Pace:
    (began_at, before), (ended_at, after) = first, last
    seconds, done = ended_at - began_at, after.done - before.done
    if seconds < MIN_SECONDS or done <= 0:
        return Pace(elapsed_seconds=elapsed_seconds)
    rate = done / seconds
    left = after.known - after.done
    is_in_sight = left > 0 and after.known - before.known < done
    return Pace(
        elapsed_seconds=elapsed_seconds,
        rate=rate,
        seconds_left=left / rate if is_in_sight else None,
    )


def describe_progress(progress: Progress, pace: Pace) -> str:
    """``raw_pages: 320 of 527 known pages done (8.1/s, 3 failed), about 26 s left``."""
    known = "known " if progress.stage == "raw_pages" else ""
    unit = "chunks" if progress.stage == "embeddings" else "pages"
    line = f"{progress.stage}: {progress.done:,} of {progress.known:,} {known}{unit} done"
    details = ", ".join(describe_details(progress, pace))
    line += f" ({details})" if details else ""
    if pace.seconds_left is None:
        return line
    return f"{line}, about {describe_seconds(pace.seconds_left)} left"


def describe_details(progress: Progress, pace: Pace) -> list[str]:
    """Rate and failures, as far as there are any."""
    details = [] if pace.rate is None else [f"{_three_digits(pace.rate)}/s"]
    return details + ([f"{progress.failed:,} failed"] if progress.failed else [])


def _three_digits(rate: float) -> str:
    return f"{rate:.1f}" if rate < 100 else f"{rate:,.0f}"  # noqa: PLR2004 - one digit less


def describe_seconds(seconds: float) -> str:
    """A length of time to two digits: ``26 s``, ``4 min``, ``2.5 h``, ``3 d``."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    hours = seconds / _HOUR
    return f"{hours:.2g} h" if hours < 2 * 24 else f"{hours / 24:.0f} d"
