"""Keeps a claimed domain: a thread beats on its own connection, and says when the lease is lost."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from omni_pipeline.errors import LeaseLostError, OmniError
from omni_pipeline.store import crawl_jobs
from omni_pipeline.store.crawl_jobs import Claim
from omni_pipeline.store.database import Database
from omni_pipeline.store.session import Session


class Lease:
    """Beats while it is open.

    The holder trusts its lease only for two thirds of its length after the *start* of the last beat
    that succeeded: a slow round trip must not extend trust, or a paused holder would go on writing
    while the reaper gives its domain away (the fence would refuse it, but later than need be).
    """

    def __init__(
        self,
        database: Database,
        holding: Claim,
        *,
        lease_seconds: float,
        heartbeat_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = Session(database)
        self._holding = holding
        self._trust_seconds = lease_seconds * 2 / 3
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._trusted_until = clock() + self._trust_seconds
        self._was_ended = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_stopped, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
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
                f"{self._holding.host} was taken from this run (job {self._holding.job_id}): its "
                "job was ended by the reaper or by the removal of the domain."
            )
        if self._clock() > self._trusted_until:
            raise LeaseLostError(
                f"This run (job {self._holding.job_id}) could not renew its lease on "
                f"{self._holding.host} for {self._trust_seconds:.0f} s and stops before it runs "
                "out. Is Postgres reachable?"
            )

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(self._heartbeat_seconds) and not self._was_ended:
            self._beat()
        self._session.close()

    def _beat(self) -> None:
        started = self._clock()
        try:
            is_ours = self._session.run(lambda conn: crawl_jobs.beat(conn, self._holding))
        except OmniError:
            return  # trust runs out by itself
        if is_ours:
            self._trusted_until = started + self._trust_seconds
        else:
            self._was_ended = True
