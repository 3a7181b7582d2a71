"""Time in the web door: when a host may be asked again, and a clock that waits for callers."""

import asyncio
from dataclasses import replace

from omni_pipeline.domain.outcomes import Blocked, Outcome, Unreachable


class HostPace:
    """Spaces the requests to one host, heeds what it asks for, and notices when it is down."""

    def __init__(self) -> None:
        self.failures_in_a_row = 0
        self._next_start = 0.0
        self._parked: Blocked | None = None

    async def turn(self, delay_seconds: float) -> None:
        """Return when the next request may start; whoever returns has taken that turn."""
        clock = asyncio.get_running_loop().time
        while (wait := self._next_start - clock()) > 0:
            if self._parked:
                return  # nobody waits: ``refusal_of`` has the answer
            await asyncio.sleep(wait)  # meanwhile a hold may move the time
        self._parked = None
        self._next_start = clock() + delay_seconds

    def hold(self, seconds: float) -> None:
        """Let nothing start for so long."""
        until = asyncio.get_running_loop().time() + seconds
        self._next_start = max(self._next_start, until)

    def park(self, refusal: Blocked, seconds: float) -> None:
        """Let nothing start for so long, and nobody wait for it."""
        self.hold(seconds)
        self._parked = refusal

    def refusal_of(self, url: str) -> Blocked | None:
        """What a parked host's answer to ``url`` is taken to be, without asking."""
        if self._parked is None:
            return None
        left = self._next_start - asyncio.get_running_loop().time()
        return replace(
            self._parked,
            url=url,
            retry_after_seconds=left,
            reason=f"{url} was not asked for: {self._parked.reason}, for now",
        )

    def note(self, outcome: Outcome) -> None:
        """Count attempts in a row that failed for now. "Not so fast" neither counts nor clears."""
        match outcome:
            case Unreachable(temporary=True):
                self.failures_in_a_row += 1
            case Blocked(kind="throttled"):
                pass
            case _:
                self.failures_in_a_row = 0


class SteadyLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while it does not run.

    The door's loop runs only while a caller waits for an outcome. On the wall's clock a caller
    that takes long over one page would let every other fetch time out behind its back: when the
    loop goes on, timers that ran out fire in the same round as data that arrived in time.
    """

    def __init__(self) -> None:
        self._standing = 0.0
        self._stopped_at: float | None = None
        super().__init__()

    def time(self) -> float:
        return super().time() - self._standing

    def run_forever(self) -> None:
        if self._stopped_at is not None:
            self._standing += self.time() - self._stopped_at
        try:
            super().run_forever()
        finally:
            self._stopped_at = self.time()
