"""Which jobs are alive, as far as one that waits for them can tell."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime


class Liveness:
    """Tells the jobs that are alive from those that have fallen silent, by this process's clock.

    The database's clock may be set back, and a job that ended without a word must not be waited for
    until it catches up: what counts is whether its beats go on.
    """

    def __init__(self, lease_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._last_beats: dict[int, tuple[datetime, float]] = {}
        self.given_up: set[int] = set()

    def look(self, beats: Mapping[int, datetime]) -> None:
        """Take in the newest beats; who has not beaten for a lease is given up."""
        now = self._clock()
        for job_id, beat in beats.items():
            last, since = self._last_beats.get(job_id, (None, now))
            if beat != last:
                self._last_beats[job_id] = (beat, now)
            elif now - since > self._lease_seconds:
                self.given_up.add(job_id)
