"""Time in the web door: how soon the next request may start, and a clock that waits for callers."""

import asyncio


class Pace:
    """Spaces the starts of requests to one site, and holds them back when the site asks."""

    def __init__(self, delay_seconds: float = 0.0) -> None:
        self._delay_seconds = delay_seconds
        self._next_start = 0.0

    async def turn(self) -> None:
        """Return when the next request may start; whoever returns has taken that turn."""
        clock = asyncio.get_running_loop().time
        while (wait := self._next_start - clock()) > 0:  # noqa: ASYNC110 - a hold may move the time
            await asyncio.sleep(wait)
        self._next_start = clock() + self._delay_seconds

    def hold(self, seconds: float) -> None:
        """Let nothing start for so long."""
        until = asyncio.get_running_loop().time() + seconds
        self._next_start = max(self._next_start, until)


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
