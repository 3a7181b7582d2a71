"""Retries, holds and the breaker of a host, over all pages that are asked of it.

F-D11 to F-D13, R-A15.
"""

import itertools
import time
from collections.abc import Iterator

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.domain.web.outcomes import Blocked, Fetched, FetchRequest, Outcome, Unreachable
from omni_pipeline.gateways.http.client import HttpClient
from omni_pipeline.gateways.http.limits import FetchLimits
from omni_pipeline.settings import IPAddress
from omni_pipeline_tests.sites import LOOPBACK, Page, ScriptedSite, html, in_turn

SLOTS = 8
PAGES_BEFORE_GIVING_UP = 10
QUICK = FetchLimits(first_byte_seconds=0.5, whole_seconds=1.0, pause_seconds=0.01)
DEAD = {
    "500": Page(status=500),
    "503": Page(status=503),
    "closes": Page(raw=b""),
    "no http": Page(raw=b"\x16\x03\x01 hello \r\n\r\n"),
    "silent": Page(wait_seconds=2.0),
}


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite({f"/{number}": html("x") for number in range(200)}) as running:
        yield running


def _client(site: ScriptedSite, limits: FetchLimits = QUICK) -> HttpClient:
    return HttpClient(policy=AddressPolicy(allowed=site.allowed), user_agent="x", limits=limits)


def _requests(site: ScriptedSite, numbers: range) -> Iterator[FetchRequest]:
    return (FetchRequest(url=f"{site.url}{number}") for number in numbers)


def _throttled(status: int, seconds: float) -> Page:
    return Page(status=status, headers={"retry-after": str(seconds)})


def _gaps(site: ScriptedSite) -> list[float]:
    starts = sorted(seen.at for seen in site.requests)
    return [later - sooner for sooner, later in itertools.pairwise(starts)]


def _crawl_until_down(client: HttpClient, site: ScriptedSite) -> int:
    """As a crawl does: go on until so many pages in a row have failed; returns how many did."""
    failed = 0
    for outcome in client.fetch_all(_requests(site, range(200)), concurrency=SLOTS):
        failed = failed + 1 if isinstance(outcome, Unreachable) else 0
        if failed == PAGES_BEFORE_GIVING_UP:
            break
    return failed


@pytest.mark.parametrize("kind", DEAD)
def test_a_dead_site_sees_at_most_fifty_requests(site: ScriptedSite, kind: str) -> None:
    """F-D12."""
    site.pages = {f"/{number}": DEAD[kind] for number in range(200)}
    with _client(site) as client:
        assert _crawl_until_down(client, site) == PAGES_BEFORE_GIVING_UP

    assert len(site.requests) <= 50


def test_a_site_that_dies_in_mid_crawl_sees_few_requests_more(site: ScriptedSite) -> None:
    """F-D12."""
    site.pages |= {f"/{number}": Page(status=500) for number in range(50, 200)}
    with _client(site) as client:
        _crawl_until_down(client, site)

    assert len(site.requests) <= 50 + 50


def test_behind_an_open_breaker_every_page_has_one_attempt(site: ScriptedSite) -> None:
    """F-D12."""
    site.pages = {f"/{number}": Page(status=500) for number in range(200)}
    with _client(site) as client:
        list(client.fetch_all(_requests(site, range(10)), concurrency=1))
        before = len(site.requests)
        list(client.fetch_all(_requests(site, range(10, 20)), concurrency=1))

    assert before == 3 + 3 + 3 + 1 + 6
    assert len(site.requests) - before == 10


def test_behind_an_open_breaker_nobody_waits_to_try_again(site: ScriptedSite) -> None:
    """F-D12."""
    site.pages["/0"] = Page(status=500)
    limits = FetchLimits(breaker_failures=1, pause_seconds=20.0)
    started = time.monotonic()
    with _client(site, limits) as client:
        client.fetch(FetchRequest(url=f"{site.url}0"))

    assert time.monotonic() - started < 5.0
    assert len(site.requests) == 1


def test_who_was_about_to_try_again_when_the_breaker_opened_does_not(
    site: ScriptedSite,
) -> None:
    """F-D12."""
    site.pages |= {"/0": Page(status=500), "/1": Page(status=500, wait_seconds=0.1)}
    limits = FetchLimits(breaker_failures=2, pause_seconds=0.8)
    with _client(site, limits) as client:
        list(client.fetch_all(_requests(site, range(2)), concurrency=2))

    assert len(site.requests) == 2


def test_an_answer_closes_the_breaker_again(site: ScriptedSite) -> None:
    """F-D12."""
    site.pages |= {f"/{number}": Page(status=500) for number in range(10)}
    site.pages["/101"] = in_turn(Page(status=500), html("here"))
    with _client(site) as client:
        list(client.fetch_all(_requests(site, range(10)), concurrency=1))
        answer = client.fetch(FetchRequest(url=f"{site.url}100"))
        retried = client.fetch(FetchRequest(url=f"{site.url}101"))

    assert isinstance(answer, Fetched)
    assert isinstance(retried, Fetched)


def test_a_broken_page_among_good_ones_is_retried_and_costs_no_other(
    site: ScriptedSite,
) -> None:
    """F-D11."""
    site.pages["/7"] = Page(status=500)
    site.pages["/9"] = in_turn(Page(status=502), Page(status=502), html("late"))
    with _client(site) as client:
        outcomes = list(client.fetch_all(_requests(site, range(50)), concurrency=SLOTS))

    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) == 49
    assert site.targets().count("/7") == 3
    assert site.targets().count("/9") == 3


def test_hosts_do_not_share_what_they_showed(site: ScriptedSite) -> None:
    """F-D12."""
    site.pages |= {"/dead": Page(status=500)}

    async def resolver(host: str, port: int) -> list[IPAddress]:
        return [LOOPBACK]

    policy = AddressPolicy(allowed=site.allowed)
    with HttpClient(policy=policy, user_agent="x", limits=QUICK, resolver=resolver) as client:
        for _ in range(10):
            client.fetch(FetchRequest(url=f"http://a.test:{site.port}/dead"))
        site.requests.clear()
        client.fetch(FetchRequest(url=f"http://b.test:{site.port}/dead"))
        assert len(site.requests) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_quiet_gets_it_from_every_slot(
    site: ScriptedSite, status: int
) -> None:
    """F-D13."""
    site.pages["/5"] = in_turn(_throttled(status, 1), html("x"))
    with _client(site) as client:
        outcomes = list(
            client.fetch_all(_requests(site, range(20)), concurrency=2, delay_seconds=0.03)
        )

    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert max(_gaps(site)) >= 0.9
    assert sum(gap > 0.3 for gap in _gaps(site)) == 1, "one pause, not one for each slot"


def test_after_the_pause_the_pace_is_kept(site: ScriptedSite) -> None:
    """F-D13, R-B9."""
    site.pages["/0"] = in_turn(_throttled(429, 0.5), html("x"))
    with _client(site) as client:
        list(client.fetch_all(_requests(site, range(8)), concurrency=SLOTS, delay_seconds=0.1))

    assert sum(gap < 0.05 for gap in _gaps(site)) == 0


def test_the_hold_lasts_beyond_the_crawl_that_met_it(site: ScriptedSite) -> None:
    """F-D13."""
    limits = FetchLimits(attempts=1)
    site.pages["/0"] = _throttled(429, 0.6)
    with _client(site, limits) as client:
        client.fetch(FetchRequest(url=f"{site.url}0"))
        client.fetch(FetchRequest(url=f"{site.url}1"))

    assert _gaps(site)[0] >= 0.55


def test_waiting_as_asked_is_not_counted_against_the_page(site: ScriptedSite) -> None:
    """F-D13."""
    limits = FetchLimits(retry_within_seconds=0.3, pause_seconds=0.01)
    site.pages["/0"] = in_turn(_throttled(429, 0.5), _throttled(503, 0.5), html("x"))
    with _client(site, limits) as client:
        assert isinstance(client.fetch(FetchRequest(url=f"{site.url}0")), Fetched)


def test_pages_that_waited_for_the_host_have_their_retries_still(site: ScriptedSite) -> None:
    """F-D13."""
    limits = FetchLimits(retry_within_seconds=0.3, pause_seconds=0.01)
    site.pages["/0"] = in_turn(_throttled(429, 0.5), html("x"))
    site.pages["/1"] = in_turn(Page(status=500), html("x"))
    with _client(site, limits) as client:
        outcomes = list(client.fetch_all(_requests(site, range(2)), concurrency=2))

    assert all(isinstance(outcome, Fetched) for outcome in outcomes)


def test_own_pauses_are_counted_against_the_page(site: ScriptedSite) -> None:
    limits = FetchLimits(retry_within_seconds=0.2, pause_seconds=1.0)
    site.pages["/0"] = Page(status=500)
    with _client(site, limits) as client:
        client.fetch(FetchRequest(url=f"{site.url}0"))

    assert len(site.requests) == 1


def test_a_host_that_asks_for_too_long_a_pause_is_not_asked_meanwhile(
    site: ScriptedSite,
) -> None:
    """F-D13."""
    limits = FetchLimits(hold_seconds=0.5)
    site.pages |= {f"/{number}": in_turn(_throttled(503, 1), html("x")) for number in range(3)}
    started = time.monotonic()
    with _client(site, limits) as client:
        outcomes: list[Outcome] = list(client.fetch_all(_requests(site, range(20)), concurrency=1))
        assert time.monotonic() - started < 0.9, "nobody waits"
        assert len(site.requests) == 3, "three pages speak for their host"
        refused = outcomes[-1]
        assert isinstance(refused, Blocked)
        assert (refused.url, refused.status, refused.kind) == (f"{site.url}19", 503, "throttled")
        assert 0.5 < (refused.retry_after_seconds or 0) <= 1.0
        assert refused.reason.startswith(f"{site.url}19 was not asked for")


def test_a_page_that_asks_for_too_long_a_pause_speaks_for_itself_alone(
    site: ScriptedSite,
) -> None:
    """F-D13."""
    limits = FetchLimits(hold_seconds=0.5)
    for number in range(0, 20, 4):
        site.pages[f"/{number}"] = _throttled(503, 3600)
    with _client(site, limits) as client:
        outcomes = list(client.fetch_all(_requests(site, range(20)), concurrency=2))
        again = client.fetch(FetchRequest(url=f"{site.url}0"))

    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) == 15
    assert len(site.requests) == 20, "nobody asked for a parked page again"
    assert isinstance(again, Blocked)


def test_when_a_parked_host_may_be_asked_again_it_is(site: ScriptedSite) -> None:
    """F-D13."""
    limits = FetchLimits(hold_seconds=0.1, pause_seconds=0.01)
    site.pages["/0"] = in_turn(_throttled(429, 0.3), html("x"))
    with _client(site, limits) as client:
        refusals = 0
        while not isinstance(client.fetch(FetchRequest(url=f"{site.url}0")), Fetched):
            refusals += 1

    assert refusals > 1
    assert _gaps(site)[0] >= 0.3
