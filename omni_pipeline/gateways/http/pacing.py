"""Time in the HTTP client: when a host may be asked again, and a loop that waits for callers."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

from omni_pipeline.domain.web.outcomes import Blocked, Outcome, Unreachable

Result = TypeVar("Result")

# So many URLs that ask for a long pause, and nothing else answers: the host asks for it.
MIN_ASKING = 3
_WHOLE_HOST = ""


class HostPace:
    """Spaces the requests to one host, heeds what it asks for, and notices when it is down."""

    def __init__(self) -> None:
        self.failures_in_a_row = 0
        self._asking: set[str] = set()
        self._last_start = float("-inf")
        self._held_until = 0.0
        self._parked: dict[str, tuple[Blocked, float]] = {}

    async def turn(self, url: str, delay_seconds: float) -> None:
        """Return when ``url`` may be asked for; whoever returns has taken that turn.

        The delay is between this request and the one before, whatever that one was.
        """
        clock = asyncio.get_running_loop().time
        while (wait := max(self._last_start + delay_seconds, self._held_until) - clock()) > 0:
            if self.refusal_of(url):
                return  # nobody waits
            await asyncio.sleep(wait)  # meanwhile a hold may move the time
        if not self.refusal_of(url):
            self._last_start = clock()

    def hold(self, seconds: float) -> None:
        """Let nothing start for so long."""
        self._held_until = max(self._held_until, asyncio.get_running_loop().time() + seconds)

    def park(self, refusal: Blocked, seconds: float) -> None:
        """Do not ask for this URL for so long; nobody waits for it.

        What one URL asks for is for that URL. Several that ask for it, with no other answer
        between them, speak for their host.
        """
        until = asyncio.get_running_loop().time() + seconds
        self._parked[refusal.url] = refusal, until
        self._asking.add(refusal.url)
        if len(self._asking) >= MIN_ASKING:
            self._parked[_WHOLE_HOST] = refusal, until

    def refusal_of(self, url: str) -> Blocked | None:
        """What the answer of a parked URL, or host, is taken to be, without asking."""
        now = asyncio.get_running_loop().time()
        for place in (url, _WHOLE_HOST):
            refusal, until = self._parked.get(place, (None, 0.0))
            if refusal is not None and until > now:
                return replace(
                    refusal,
                    url=url,
                    retry_after_seconds=until - now,
                    reason=f"{url} was not asked for: {refusal.reason}, for now",
                )
        return None

    def note(self, outcome: Outcome) -> None:
        """Count attempts in a row that failed for now. "Not so fast" neither counts nor clears."""
        match outcome:
            case Unreachable(temporary=True):
                self.failures_in_a_row += 1
            case Blocked(kind="throttled"):
                pass
            case _:
                self.failures_in_a_row = 0
                self._asking.clear()


class SteadyLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while it does not run.

    The client's loop runs only while a caller waits for an outcome. On the wall's clock a caller
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


class Fetches(Generic[Result]):
    """Fetches under way in a loop that runs only until one of them has ended.

    ``asyncio.wait`` would make a task and as many callbacks as there are fetches, for each of them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended: deque[asyncio.Task[Result]] = deque()
        self._is_awaited = False
        self.running: set[asyncio.Task[Result]] = set()

    def __len__(self) -> int:
        return len(self.running)

    def start(self, fetch: Coroutine[Any, Any, Result]) -> None:
        task = self._loop.create_task(fetch)
        self.running.add(task)
        task.add_done_callback(self._note_end)

    def next_ended(self) -> Iterator[Result]:
        """What has ended, in order; waits until something has."""
        if not self._ended:
            self._is_awaited = True
            try:
                self._loop.run_forever()
            finally:
                self._is_awaited = False
        while self._ended:
            task = self._ended.popleft()
            self.running.discard(task)
            yield task.result()

    def _note_end(self, task: asyncio.Task[Result]) -> None:
        self._ended.append(task)
        if self._is_awaited:  # else the loop runs for somebody else
            self._loop.stop()
