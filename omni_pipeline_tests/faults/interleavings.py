"""Runs a few scripted sessions in every order of their steps, as Postgres's isolation tests do.

A script is a generator: what lies between two yields is one step. A step that waits for a lock of
another session is left waiting, and the others go on; its session's later steps follow once it is
let through.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from psycopg import Connection

from omni_pipeline.errors import OmniError
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.sqlstates import classified

Script = Callable[[Connection], Iterator[None]]

SECONDS = 20.0


def orders(steps: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Every order in which sessions with so many steps can take them."""
    if not any(steps.values()):
        return [()]
    return [
        (name, *rest)
        for name, count in steps.items()
        if count
        for rest in orders({**steps, name: count - 1})
    ]


class Session:
    """One scripted session with a thread and a connection of its own."""

    def __init__(self, database: Database) -> None:
        self.conn = database.connect()
        self.error: OmniError | None = None
        self.is_over = False
        self.ended_at = 0.0
        self._pid = self.conn.info.backend_pid
        self._thread = ThreadPoolExecutor(1)
        self._script: Iterator[None] = iter(())
        self._step: Future[None] | None = None
        self._turns: deque[None] = deque()

    def load(self, script: Script) -> None:
        self._script = script(self.conn)
        self.error, self.is_over = None, False
        self._turns.clear()

    def take_turn(self) -> None:
        self._turns.append(None)

    def is_settled(self, watcher: Connection) -> bool:
        """Whether it has nothing to do, or waits for a lock; starts the next step that is due."""
        if self._step is not None and self._step.done():
            self._step.result()
            self._step = None
        if self._step is None and self._turns and not self.is_over:
            self._turns.popleft()
            self._step = self._thread.submit(self._take_step)
        return self._step is None or self._is_blocked(watcher)

    def close(self) -> None:
        self._thread.shutdown()
        self.conn.close()

    def _take_step(self) -> None:
        try:
            with classified():
                next(self._script)
        except StopIteration:
            self._end(None)
        except OmniError as error:
            self._end(error)

    def _end(self, error: OmniError | None) -> None:
        self.error, self.ended_at = error, time.monotonic()
        self.is_over = True

    def _is_blocked(self, watcher: Connection) -> bool:
        row = watcher.execute("SELECT cardinality(pg_blocking_pids(%s))", [self._pid]).fetchone()
        return bool(row and row[0]) and self._step is not None and not self._step.done()


def play(
    order: Sequence[str],
    sessions: Mapping[str, Session],
    scripts: Mapping[str, Script],
    watcher: Connection,
) -> dict[str, str | None]:
    """Play one order to its end.

    Returns:
        The kind of error with which each session ended, None where it ended well; in the order in
        which they ended, which lock waits may make another than that of their turns.
    """
    for name, script in scripts.items():
        sessions[name].load(script)
    playing = [sessions[name] for name in scripts]
    for name in order:
        sessions[name].take_turn()
        _wait(lambda: _are_settled(playing, watcher))
    _wait(lambda: _are_settled(playing, watcher) and all(one.is_over for one in playing))
    ended = sorted(scripts, key=lambda name: sessions[name].ended_at)
    return {name: error.kind if (error := sessions[name].error) else None for name in ended}


def _are_settled(sessions: Sequence[Session], watcher: Connection) -> bool:
    settled = [session.is_settled(watcher) for session in sessions]  # each may start a step
    return all(settled)


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "the sessions wait for each other"
        time.sleep(0.001)
