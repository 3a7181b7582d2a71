"""Breaker and rate limit of an embedding endpoint, shared by all runs through Postgres.

Every statement is a transaction of its own, so nothing is held while a request waits or is sent.
"""

import hashlib
import random
import time
from collections.abc import Callable
from datetime import datetime

from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import OmniError, PermanentError, TemporaryError
from omni_pipeline.settings import OPENAI_URL, EmbeddingSettings
from omni_pipeline.store.postgres.session import Session
from omni_pipeline.store.usage import circuit_breakers, rate_limits
from omni_pipeline.store.usage.circuit_breakers import Breaker
from omni_pipeline.store.usage.rate_limits import Limit, Queue, Turn

# Ten runs that share ten requests a minute wait for one another; a run that waits keeps its lease.
MAX_WAIT_SECONDS = 600.0

# An endpoint that has failed everybody for that long fails this run too.
MAX_BREAKER_SECONDS = 120.0

# An open breaker is looked at again at least so often: another run's probe may have closed it.
LOOK_SECONDS = 2.0

# A 429 that does not say for how long.
BLIND_PAUSE_SECONDS = 1.0

# What is wrong until a person acts. Not for ever: that it was mended is found out by itself.
CLOSED_TO_ALL_SECONDS = {
    "permanent.embed_quota": 3600.0,
    "permanent.embed_key": 600.0,
    "permanent.embed_unusable": 3600.0,
}


class SharedThrottle:
    """Lets one run's requests through, as far as breaker and rate limit of all runs do."""

    def __init__(
        self,
        session: Session,
        limit: Limit,
        *,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
        max_breaker_seconds: float = MAX_BREAKER_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._limit = limit
        self._max_wait_seconds = max_wait_seconds
        self._max_breaker_seconds = max_breaker_seconds
        self._sleep = sleep
        self._clock = clock
        self._breaker: Breaker | None = None
        session.run(lambda conn: rate_limits.ensure(conn, limit))

    def enter(self, tokens: int) -> None:
        """Return when a request of so many tokens may be sent.

        Raises:
            TemporaryError: ``throttled``: the endpoint wants to be left alone, or too many requests
                come before this one. ``transient.embed_breaker``: it fails whoever asks.
            PermanentError: Quota or key, of the kind with which the endpoint refused another run.
        """
        ends_at = self._clock() + self._max_wait_seconds
        has_turn = False
        while True:
            self._pass_breaker()
            if has_turn or self._is_probe:
                return
            turn = self._reserve(tokens, max_wait_seconds=max(0.0, ends_at - self._clock()))
            if turn.wait_seconds == 0:
                return
            self._sleep(turn.wait_seconds)
            # Much may have happened meanwhile: a pause takes the turn back, a breaker opens.
            has_turn = self._still_holds(turn)

    def succeeded(self) -> None:
        """Close the breaker, where there was a failure to forget."""
        if self._breaker is not None and (self._is_probe or self._breaker.failures):
            endpoint, is_probe = self._limit.endpoint, self._is_probe
            self._session.run(
                lambda conn: circuit_breakers.close(conn, endpoint, is_probe=is_probe)
            )

    def failed(self, error: OmniError) -> None:
        """Tell all runs what this failure means for them."""
        if seconds := CLOSED_TO_ALL_SECONDS.get(error.kind):
            self._open(error, seconds)
        elif error.kind == "throttled":
            self.succeeded()
            self._pause(error)
        elif isinstance(error, TemporaryError):
            self._count_failure(error)
        else:  # what this run asked for was wrong, but it was answered
            self.succeeded()

    @property
    def _is_probe(self) -> bool:
        return self._breaker is not None and self._breaker.is_probe

    def _pass_breaker(self) -> None:
        ends_at = self._clock() + self._max_breaker_seconds
        while (breaker := self._ask_breaker()) and not breaker.lets_in:
            if breaker.error_kind in CLOSED_TO_ALL_SECONDS:
                raise _closed_to_all(breaker)
            spread = random.uniform(0.1, 0.5)  # noqa: S311 - spreads runs, guards nothing
            wait = min(breaker.wait_seconds, LOOK_SECONDS) + spread
            if self._clock() + wait > ends_at:
                raise _left_alone(breaker, self._limit.endpoint)
            self._sleep(wait)

    def _ask_breaker(self) -> Breaker | None:
        endpoint = self._limit.endpoint
        self._breaker = self._session.run(lambda conn: circuit_breakers.ask(conn, endpoint))
        return self._breaker

    def _count_failure(self, error: OmniError) -> None:
        endpoint, is_probe = self._limit.endpoint, self._is_probe
        self._session.run(
            lambda conn: circuit_breakers.count_failure(
                conn, endpoint, kind=error.kind, error=str(error), is_probe=is_probe
            )
        )

    def _open(self, error: OmniError, seconds: float) -> None:
        endpoint = self._limit.endpoint
        self._session.run(
            lambda conn: circuit_breakers.open_for(
                conn, endpoint, kind=error.kind, error=str(error), seconds=seconds
            )
        )

    def _reserve(self, tokens: int, *, max_wait_seconds: float) -> Turn:
        turn = self._session.run(
            lambda conn: rate_limits.reserve(
                conn, self._limit, tokens=tokens, max_wait_seconds=max_wait_seconds
            )
        )
        if turn is None:
            queue = self._session.run(lambda conn: rate_limits.look(conn, self._limit))
            raise _throttled(queue, self._limit, max_wait_seconds)
        return turn

    def _still_holds(self, turn: Turn) -> bool:
        return self._session.run(lambda conn: rate_limits.still_holds(conn, self._limit, turn))

    def _pause(self, error: OmniError) -> None:
        asked = error.retry_after_seconds if isinstance(error, TemporaryError) else None
        seconds = BLIND_PAUSE_SECONDS if asked is None else asked
        self._session.run(lambda conn: rate_limits.pause(conn, self._limit, seconds=seconds))


def open_throttle(session: Session, settings: EmbeddingSettings, model: str) -> SharedThrottle:
    """The throttle of the endpoint that ``settings`` name."""
    limit = Limit(
        endpoint=endpoint_of(settings),
        model=model,
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
    )
    return SharedThrottle(session, limit)


def reopen(session: Session, settings: EmbeddingSettings) -> None:
    """Let all runs ask the endpoint again: a person has just seen that it answers."""
    endpoint = endpoint_of(settings)
    session.run(lambda conn: circuit_breakers.reset(conn, endpoint))
    session.run(lambda conn: rate_limits.end_pauses(conn, endpoint))


def endpoint_of(settings: EmbeddingSettings) -> str:
    """Names address and account: limits are an account's, and a new key finds a closed breaker.

    Of the key only 32 bits of its hash are told.
    """
    address = Redactor().line(settings.base_url or OPENAI_URL)
    if not settings.api_key:
        return address
    return f"{address} (key {hashlib.sha256(settings.api_key.encode()).hexdigest()[:8]})"


def _closed_to_all(breaker: Breaker) -> PermanentError:
    return PermanentError(
        f"{breaker.error} It is not asked again before {_clock_time(breaker.opened_until)}; once "
        "that is mended, `omni doctor` lets every run ask at once.",
        kind=breaker.error_kind,
    )


def _left_alone(breaker: Breaker, endpoint: str) -> TemporaryError:
    return TemporaryError(
        f"The embedding endpoint {endpoint} has failed {breaker.failures} times in a row, of all "
        f"runs, and is left alone until {_clock_time(breaker.opened_until)}. Last: {breaker.error} "
        "What was paid for is kept; the next refresh goes on from there.",
        kind="transient.embed_breaker",
        retry_after_seconds=breaker.wait_seconds,
    )


def _throttled(queue: Queue, limit: Limit, max_wait_seconds: float) -> TemporaryError:
    """Who asks for patience: the endpoint, or our own limit."""
    kept = "What was paid for is kept; the next refresh goes on from there."
    if queue.paused_until is not None:
        return TemporaryError(
            f"The embedding endpoint {limit.endpoint} asked to be left alone until "
            f"{_clock_time(queue.paused_until)}. {kept}",
            kind="throttled",
            retry_after_seconds=queue.booked_seconds,
        )
    return TemporaryError(
        f"The requests of all runs to {limit.endpoint} are booked for {queue.booked_seconds:.0f} s "
        f"ahead, and none waits longer than {max_wait_seconds:.0f} s. {kept} Raise "
        "OMNI_EMBEDDING_REQUESTS_PER_MINUTE or OMNI_EMBEDDING_TOKENS_PER_MINUTE if the endpoint "
        "takes more.",
        kind="throttled",
        retry_after_seconds=queue.booked_seconds,
    )


def _clock_time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "soon"
