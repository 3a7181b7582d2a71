"""Keeps a claimed domain: a thread beats on its own connection, and says when the lease is lost."""

import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from omni_pipeline.errors import LeaseLostError, OmniError
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session

# EX_TEMPFAIL of sysexits.h: what was asked for may succeed when it is asked for again.
EXIT_LEASE_LOST = 75

# For a run that noticed that its lease is lost to say so in its job, which it tries for half a
# minute (``session.RETRY_SECONDS``), and in its log.
GRACE_SECONDS = 45.0


class Lease:
    """Beats while it is open.

    The holder trusts its lease only for two thirds of its length after the *start* of the last beat
    that succeeded: a slow round trip must not extend trust, or a paused holder would go on writing
    while the reaper gives its domain away (the fence would refuse it, but later than need be).

    Args:
        database: Where the beats go, on a connection of their own.
        claim: The claim to keep.
        lease_seconds: After so much silence the reaper ends the job.
        heartbeat_seconds: Between two beats.
        ends_process: Whether a process that does not notice that its lease is lost, because it
            hangs in a request or a loop, is ended. Only for a process that does nothing else.
        grace_seconds: How long it is given to notice.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        database: Database,
        claim: Claim,
        *,
        lease_seconds: float,
        heartbeat_seconds: float,
        ends_process: bool = False,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = Session(database)
        self._claim = claim
        self._trust_seconds = lease_seconds * 2 / 3
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._trusted_until = clock() + self._trust_seconds
        self._was_ended = False
        self._stop = threading.Event()
        self._grace_seconds = grace_seconds
        self._thread = threading.Thread(target=self._beat_until_stopped, name="lease", daemon=True)
        # Beside the beat, which may hang itself: on a network that swallows it.
        self._watch = threading.Thread(target=self._watch_process, name="lease watch", daemon=True)
        self._ends_process = ends_process

    def __enter__(self) -> Self:
        self._thread.start()
        if self._ends_process:
            self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5.0)

    def check(self) -> None:
        """Return while the domain is ours.

        Raises:
            LeaseLostError: It was given away, or no beat has succeeded for too long to be sure.
        """
        if self._was_ended:
            raise LeaseLostError(
                f"{self._claim.host} was taken from this run (job {self._claim.job_id}): its "
                "job was ended by the reaper or by the removal of the domain."
            )
        if self._clock() > self._trusted_until:
            raise LeaseLostError(
                f"This run (job {self._claim.job_id}) could not renew its lease on "
                f"{self._claim.host} for {self._trust_seconds:.0f} s and stops before it runs "
                "out. Is Postgres reachable?"
            )

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(self._heartbeat_seconds) and not self._was_ended:
            self._beat()
        self._session.close()

    def _watch_process(self) -> None:
        while not self._stop.wait(max(0.0, self._trusted_until - self._clock())):
            if not self._is_untrusted():
                continue  # a beat has come meanwhile
            if not self._stop.wait(self._grace_seconds) and self._is_untrusted():
                self._end_process()

    def _is_untrusted(self) -> bool:
        return self._clock() >= self._trusted_until

    def _end_process(self) -> None:
        """At once, whatever hangs: it holds a slot of the queue, and its domain needs it."""
        sys.stderr.write(
            f"The refresh of {self._claim.host} (job {self._claim.job_id}) lost its lease and "
            f"did not stop within {self._grace_seconds:.0f} s: its process ends itself.\n"
        )
        sys.stderr.flush()
        os._exit(EXIT_LEASE_LOST)

    def _beat(self) -> None:
        started = self._clock()
        try:
            is_ours = self._session.run(lambda conn: crawl_jobs.beat(conn, self._claim))
        except OmniError:
            return  # trust runs out by itself
        if is_ours:
            self._trusted_until = started + self._trust_seconds
        else:
            self._was_ended = True
