"""How fast all runs together may ask: every request at its reserved moment, none too many."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from psycopg import Connection

from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.usage import rate_limits
from omni_pipeline.store.usage.rate_limits import BURST_SECONDS, MARGIN, Limit, Turn

FREE = Limit(endpoint="https://e.test", model="m")
TEN_A_MINUTE = replace(FREE, requests_per_minute=10)
MILLION_TOKENS = replace(FREE, tokens_per_minute=1_000_000)

WORKERS = 10
ASKS = 40


def ask(
    conn: Connection, limit: Limit, *, tokens: int = 1, max_wait_seconds: float = 600
) -> Turn | None:
    return rate_limits.reserve(conn, limit, tokens=tokens, max_wait_seconds=max_wait_seconds)


def turn(conn: Connection, limit: Limit, *, tokens: int = 1) -> Turn:
    found = ask(conn, limit, tokens=tokens)
    assert found is not None
    return found


@pytest.fixture
def limits(conn: Connection) -> Connection:
    rate_limits.ensure(conn, FREE)
    rate_limits.ensure(conn, FREE)
    return conn


def test_without_a_limit_every_request_goes_at_once(limits: Connection) -> None:
    assert [turn(limits, FREE, tokens=10**9).wait_seconds for _ in range(5)] == [0] * 5


def test_requests_are_spaced_by_their_share_of_a_minute(limits: Connection) -> None:
    turns = [turn(limits, TEN_A_MINUTE) for _ in range(4)]
    assert turns[0].wait_seconds == 0
    gaps = [
        (later.starts_at - earlier.starts_at).total_seconds() for earlier, later in pairwise(turns)
    ]
    assert gaps == pytest.approx([6.0 * MARGIN] * 3, abs=0.01)


def test_the_narrower_of_two_limits_rules(limits: Connection) -> None:
    both = replace(FREE, requests_per_minute=60, tokens_per_minute=60)
    turn(limits, both, tokens=60)
    assert turn(limits, both, tokens=60).wait_seconds == pytest.approx(115, abs=5)


def test_a_request_larger_than_the_burst_waits_and_does_not_starve(limits: Connection) -> None:
    """F-C21: in order of asking, however small the later ones are."""
    large = turn(limits, MILLION_TOKENS, tokens=500_000)
    assert large.wait_seconds == pytest.approx(30 - BURST_SECONDS, abs=1)
    assert turn(limits, MILLION_TOKENS, tokens=1).starts_at > large.starts_at


def test_what_would_have_to_wait_too_long_takes_no_turn(limits: Connection) -> None:
    turn(limits, TEN_A_MINUTE)
    for _ in range(3):
        assert ask(limits, TEN_A_MINUTE, max_wait_seconds=5.5) is None
    queue = rate_limits.look(limits, TEN_A_MINUTE)
    assert queue.paused_until is None
    assert queue.booked_seconds == pytest.approx(6, abs=0.5)
    assert turn(limits, TEN_A_MINUTE).wait_seconds == pytest.approx(6, abs=0.5)


def test_an_idle_hour_saves_up_no_more_than_the_burst(limits: Connection) -> None:
    limits.execute("UPDATE rate_limits SET requests_until = now() - interval '1 hour'")
    sixty = replace(FREE, requests_per_minute=60)
    at_once = [turn(limits, sixty).wait_seconds == 0 for _ in range(10)]
    assert sum(at_once) == int(BURST_SECONDS / MARGIN)


def test_models_and_accounts_have_limits_of_their_own(limits: Connection) -> None:
    turn(limits, TEN_A_MINUTE)
    for other in (replace(TEN_A_MINUTE, model="n"), replace(TEN_A_MINUTE, endpoint="f")):
        rate_limits.ensure(limits, other)
        assert turn(limits, other).wait_seconds == 0


# The endpoint's own wish


def test_a_pause_holds_back_every_run(limits: Connection) -> None:
    """F-C1: nothing before T, with or without a limit of our own."""
    rate_limits.pause(limits, FREE, seconds=20)
    for limit in (FREE, TEN_A_MINUTE):
        assert turn(limits, limit).wait_seconds >= 19.5
    assert ask(limits, FREE, max_wait_seconds=10) is None
    paused_until = rate_limits.look(limits, FREE).paused_until
    assert paused_until is not None
    assert paused_until > datetime.now(paused_until.tzinfo) + timedelta(seconds=19)


def test_a_shorter_pause_does_not_shorten_a_longer_one(limits: Connection) -> None:
    rate_limits.pause(limits, FREE, seconds=100)
    rate_limits.pause(limits, FREE, seconds=1)
    assert turn(limits, FREE).wait_seconds > 99


def test_a_pause_takes_back_the_turns_before_its_end_and_no_others(limits: Connection) -> None:
    turns = [turn(limits, TEN_A_MINUTE) for _ in range(5)]
    rate_limits.pause(limits, TEN_A_MINUTE, seconds=15)
    held = [rate_limits.still_holds(limits, TEN_A_MINUTE, each) for each in turns]
    assert held == [False, False, False, True, True]
    again = turn(limits, TEN_A_MINUTE)
    assert again.starts_at > turns[-1].starts_at, "a place that is held is not given twice"


def test_a_person_may_end_the_pauses_of_an_endpoint(limits: Connection) -> None:
    rate_limits.pause(limits, FREE, seconds=3600)
    rate_limits.end_pauses(limits, FREE.endpoint)
    assert turn(limits, FREE).wait_seconds == 0


# A limit that nobody has told


def test_refusals_widen_the_space_between_requests_and_requests_narrow_it(
    limits: Connection,
) -> None:
    def spacing() -> float:
        row = limits.execute("SELECT spacing_seconds FROM rate_limits").fetchone()
        assert row is not None
        return float(row[0])

    for _ in range(3):
        limits.execute("UPDATE rate_limits SET paused_until = '-infinity'")
        rate_limits.pause(limits, FREE, seconds=1)
    assert spacing() == pytest.approx(0.05 * 1.5**2)
    rate_limits.pause(limits, FREE, seconds=2)
    assert spacing() == pytest.approx(0.05 * 1.5**2), "refused together is refused once"
    first, second = turn(limits, FREE), turn(limits, FREE)
    gap = (second.starts_at - first.starts_at).total_seconds()
    assert gap == pytest.approx(0.05 * 1.5**2, rel=0.1)
    for _ in range(300):
        turn(limits, FREE)
    assert spacing() < 0.001


# Many runs


def reserve_many(database: Database, seed: int) -> list[tuple[float, int]]:
    """When each request of one worker may be sent, and its tokens."""
    chance = random.Random(seed)
    taken = []
    with database.connect() as conn:
        for _ in range(ASKS):
            tokens = chance.randint(500, 8_000)
            starts_at = turn(conn, MILLION_TOKENS, tokens=tokens).starts_at.timestamp()
            taken.append((starts_at, tokens))
    return taken


def test_ten_workers_never_overrun_one_limit_nor_waste_it(
    limits: Connection, shared: Database
) -> None:
    """F-C21: over any time t at most burst + rate * t, and all of that is used."""
    began = time.time()
    with ThreadPoolExecutor(WORKERS) as pool:
        of_each = list(pool.map(lambda seed: reserve_many(shared, seed), range(WORKERS)))
    sent = sorted(request for of_one in of_each for request in of_one)
    assert len(sent) == WORKERS * ASKS
    rate = 1_000_000 / 60
    granted = 0
    for starts_at, tokens in sent:
        granted += tokens
        assert granted <= rate * (starts_at - began + BURST_SECONDS + 0.1)
    last = sent[-1][0]
    assert granted >= 0.9 * rate * (last - sent[0][0])


def test_what_was_booked_goes_back_with_the_clock(limits: Connection) -> None:
    """Set back by ten minutes, it would keep every run waiting for as long."""
    limit = replace(FREE, requests_per_minute=60)
    turn(limits, limit)
    limits.execute(
        "UPDATE rate_limits SET reserved_at = reserved_at + interval '10 minutes',"
        " requests_until = requests_until + interval '10 minutes'"
    )
    assert turn(limits, limit).wait_seconds < BURST_SECONDS
