"""Time in the HTTP client: when a host may be asked again, and a loop that waits for callers."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

from omni_pipeline.domain.web.outcomes import Blocked, Outcome, Unreachable

Result = TypeVar("Result")


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
