"""Many fetches at once through the HTTP client: lazily fed, paced, and never left behind (R-B9)."""

import asyncio
import itertools
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import Fetched, FetchRequest, Unreachable
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import MIB, FetchLimits
from omni_pipeline_tests.sites import Page, ScriptedSite, html, in_turn

QUICK = FetchLimits(first_byte_seconds=0.3, whole_seconds=1.0, pause_seconds=0.01)


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite({f"/{number}": html(str(number)) for number in range(100)}) as running:
        yield running


@pytest.fixture
def client(site: ScriptedSite) -> Iterator[HttpClient]:
    policy = AddressPolicy(allowed=site.allowed)
    with HttpClient(policy=policy, user_agent="omni-pipeline/0.1", limits=QUICK) as opened:
        yield opened


def _requests(site: ScriptedSite, numbers: range) -> Iterator[FetchRequest]:
    return (FetchRequest(url=f"{site.url}{number}") for number in numbers)


def test_every_request_has_its_outcome_over_few_connections(
    site: ScriptedSite, client: HttpClient
) -> None:
    outcomes = list(client.fetch_all(_requests(site, range(100)), concurrency=4))

    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert {outcome.url for outcome in outcomes} == {f"{site.url}{n}" for n in range(100)}
    assert site.connections == 4, "connections are kept and used again"


def test_requests_are_pulled_only_when_a_place_is_free(
    site: ScriptedSite, client: HttpClient
) -> None:
    pulled = 0

    def counted() -> Iterator[FetchRequest]:
        nonlocal pulled
        for request in _requests(site, range(100)):
            pulled += 1
            yield request

    outcomes = client.fetch_all(counted(), concurrency=3)
    for seen, _ in enumerate(outcomes, start=1):
        assert pulled <= seen + 3


def test_a_frontier_that_grows_with_each_page_is_followed_to_its_end(
    site: ScriptedSite, client: HttpClient
) -> None:
    queue = [f"{site.url}1"]

    def frontier() -> Iterator[FetchRequest | None]:
        while True:
            yield FetchRequest(url=queue.pop()) if queue else None

    fetched = []
    for outcome in client.fetch_all(frontier(), concurrency=4):
        number = int(outcome.url.rpartition("/")[2])
        fetched.append(number)
        queue += [f"{site.url}{link}" for link in (2 * number, 2 * number + 1) if link < 64]

    assert sorted(fetched) == list(range(1, 64))


def test_no_more_than_the_asked_number_are_under_way(
    site: ScriptedSite, client: HttpClient
) -> None:
    site.pages = {f"/{n}": Page(body=b"x", wait_seconds=0.1) for n in range(8)}

    list(client.fetch_all(_requests(site, range(8)), concurrency=2))

    starts = sorted(seen.at for seen in site.requests)
    assert all(later - sooner >= 0.09 for sooner, later in zip(starts, starts[2:], strict=False))


def test_requests_start_no_faster_than_the_delay(site: ScriptedSite, client: HttpClient) -> None:
    """R-B9."""
    list(client.fetch_all(_requests(site, range(5)), concurrency=4, delay_seconds=0.1))

    first, *_, last = (seen.at for seen in site.requests)
    assert last - first >= 0.3, "four delays, less what the first connection took"


def test_when_the_site_asks_for_a_pause_everyone_pauses(
    site: ScriptedSite, client: HttpClient
) -> None:
    """F-D13."""
    site.pages["/0"] = in_turn(Page(status=429, headers={"retry-after": "1"}), html("x"))

    list(client.fetch_all(_requests(site, range(4)), concurrency=2, delay_seconds=0.05))

    starts = [seen.at for seen in site.requests]
    gaps = [later - sooner for sooner, later in itertools.pairwise(starts)]
    assert max(gaps) >= 0.9
    assert len(starts) == 5


def test_a_caller_that_takes_its_time_times_nobody_out(site: ScriptedSite) -> None:
    site.pages |= {f"/{n}": Page(body=b"x", wait_seconds=0.1) for n in range(1, 4)}
    limits = FetchLimits(whole_seconds=0.3, attempts=1)
    policy = AddressPolicy(allowed=site.allowed)

    outcomes = []
    with HttpClient(policy=policy, user_agent="x", limits=limits) as client:
        for outcome in client.fetch_all(_requests(site, range(4)), concurrency=4):
            outcomes.append(outcome)
            time.sleep(0.5)  # longer than a whole fetch may take

    assert [type(outcome) for outcome in outcomes] == [Fetched] * 4


def test_one_slow_page_does_not_hold_up_the_others(site: ScriptedSite, client: HttpClient) -> None:
    """F-D32."""
    site.pages["/0"] = Page(wait_seconds=5.0)

    outcomes = list(client.fetch_all(_requests(site, range(50)), concurrency=4))

    assert isinstance(outcomes[-1], Unreachable)
    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) == 49


def test_a_host_that_drips_does_not_hold_up_other_hosts(site: ScriptedSite) -> None:
    """F-D32."""

    def requests(dripping: ScriptedSite) -> Iterator[FetchRequest]:
        for number in range(100):
            if number % 25 == 0:
                yield FetchRequest(url=f"{dripping.url}{number}")
            yield FetchRequest(url=f"{site.url}{number}")

    with ScriptedSite() as dripping:
        dripping.pages = {f"/{n}": Page(body=b"x" * 100, drip_seconds=0.1) for n in range(100)}
        policy = AddressPolicy(allowed=site.allowed | dripping.allowed)
        with HttpClient(policy=policy, user_agent="x", limits=FetchLimits(attempts=1)) as client:
            outcomes = client.fetch_all(requests(dripping), concurrency=8)
            fetched = [next(outcomes) for _ in range(100)]
            del outcomes

    assert all(isinstance(outcome, Fetched) for outcome in fetched)
    assert {outcome.url for outcome in fetched} == {f"{site.url}{n}" for n in range(100)}


def test_a_site_that_goes_on_sending_when_nobody_asks_is_not_listened_to(
    site: ScriptedSite, client: HttpClient
) -> None:
    """F-D31."""
    endless = {"content-type": "text/html", "content-length": "5"}
    site.pages["/0"] = Page(body=b"x" * (64 * MIB), headers=endless)
    site.pages["/1"] = Page(body=b"x", wait_seconds=0.2)
    tracemalloc.start()
    try:
        before_bytes = tracemalloc.get_traced_memory()[0]
        outcomes = list(client.fetch_all(_requests(site, range(8)), concurrency=2))
        peak_bytes = tracemalloc.get_traced_memory()[1] - before_bytes
    finally:
        tracemalloc.stop()

    assert [o for o in outcomes if not isinstance(o, Fetched)] == []
    assert peak_bytes < 64 * MIB + 4 * MIB, "what the site holds, and little here"


def test_a_caller_that_stops_early_leaves_nothing_running(
    site: ScriptedSite, client: HttpClient
) -> None:
    site.pages |= {f"/{n}": Page(body=b"x", wait_seconds=0.2) for n in range(1, 100)}
    outcomes = client.fetch_all(_requests(site, range(100)), concurrency=4)
    next(outcomes)

    del outcomes

    assert asyncio.all_tasks(client._loop) == set()
    assert isinstance(client.fetch(FetchRequest(url=f"{site.url}0")), Fetched)
    assert len(site.requests) < 8


def test_a_client_may_close_under_an_unfinished_crawl(site: ScriptedSite) -> None:
    site.pages["/1"] = Page(wait_seconds=0.3)
    with HttpClient(policy=AddressPolicy(allowed=site.allowed), user_agent="x") as client:
        outcomes = client.fetch_all(_requests(site, range(10)), concurrency=4)
        next(outcomes)
    del outcomes


def test_single_fetches_fit_between_the_outcomes_of_a_crawl(
    site: ScriptedSite, client: HttpClient
) -> None:
    for outcome in client.fetch_all(_requests(site, range(6)), concurrency=2):
        assert client.fetch(FetchRequest(url=outcome.url)) is not None
    assert len(site.requests) == 12


def test_an_error_of_the_frontier_reaches_the_caller(
    site: ScriptedSite, client: HttpClient
) -> None:
    def broken() -> Iterator[FetchRequest]:
        yield FetchRequest(url=f"{site.url}1")
        raise LookupError("no database")

    with pytest.raises(LookupError, match="no database"):
        list(client.fetch_all(broken(), concurrency=2))
    assert isinstance(client.fetch(FetchRequest(url=f"{site.url}2")), Fetched)
