"""What robots.txt permits (RFC 9309; FAULTS D14-D19, S48)."""

import time

import pytest

from omni_pipeline.domain.outcomes import (
    Blocked,
    Fetched,
    Forbidden,
    Gone,
    Outcome,
    Unreachable,
    Unusable,
)
from omni_pipeline.domain.robots import MOST_ROBOTS_BYTES, RobotsRules, rules_from

AGENT = "omni-pipeline/0.1 (+https://example.com/badbot)"
ROBOTS = "https://example.com/robots.txt"


def _file(body: bytes | str, *, truncated: bool = False) -> Fetched:
    data = body.encode() if isinstance(body, str) else body
    return Fetched(
        url=ROBOTS,
        status=200,
        body=data,
        content_type="text/plain",
        elapsed_seconds=0.1,
        truncated=truncated,
    )


def _rules(body: bytes | str) -> RobotsRules:
    return rules_from(_file(body), AGENT)


def test_a_disallowed_path_is_not_allowed_d14() -> None:
    rules = _rules("User-agent: *\nDisallow: /private\nAllow: /private/open\n")

    assert rules.allows("https://example.com/")
    assert not rules.allows("https://example.com/private/x")
    assert rules.allows("https://example.com/private/open")
    assert rules.unreachable is None


def test_the_group_of_this_crawler_wins() -> None:
    rules = _rules("User-agent: Omni-Pipeline\nDisallow: /ours\n\nUser-agent: *\nDisallow: /a\n")

    assert rules.allows("https://example.com/a")
    assert not rules.allows("https://example.com/ours")


def test_the_contact_url_in_the_user_agent_does_not_make_it_another_crawler() -> None:
    assert _rules("User-agent: badbot\nDisallow: /\n").allows("https://example.com/")


@pytest.mark.parametrize(
    "outcome",
    [
        Gone(url=ROBOTS, status=404),
        Gone(url=ROBOTS, status=410),
        Blocked(url=ROBOTS, status=403, kind="permanent.blocked", reason="403"),
        Blocked(url=ROBOTS, status=401, kind="permanent.blocked", reason="401"),
        Unusable(url=ROBOTS, status=400, kind="permanent.status", reason="400"),
        Unusable(url=ROBOTS, kind="permanent.redirect_loop", reason="6 redirects"),
    ],
)
def test_a_site_without_robots_may_be_crawled_d16_d17(outcome: Outcome) -> None:
    assert rules_from(outcome, AGENT) == RobotsRules()
    assert RobotsRules().allows("https://example.com/x")


@pytest.mark.parametrize(
    "outcome",
    [
        Unreachable(url=ROBOTS, kind="transient.status", reason="it answered 500"),
        Unreachable(url=ROBOTS, kind="transient.timeout", reason="it stopped sending"),
        Unreachable(url=ROBOTS, kind="permanent.tls", reason="expired", temporary=False),
        Blocked(url=ROBOTS, status=429, kind="throttled", reason="429"),
        Blocked(url=ROBOTS, status=503, kind="throttled", reason="503"),
        Forbidden(url=ROBOTS, reason="it leads to an address that is not public"),
        Unusable(url=ROBOTS, status=200, kind="permanent.encoding", reason="br"),
    ],
)
def test_where_robots_cannot_be_read_nothing_may_be_fetched_d15(
    outcome: Unreachable | Blocked | Forbidden | Unusable,
) -> None:
    rules = rules_from(outcome, AGENT)

    assert rules.unreachable == outcome.reason
    assert not rules.allows("https://example.com/")


@pytest.mark.parametrize(
    ("line", "asked", "kept"),
    [
        ("", None, 0.0),
        ("Crawl-delay: 2.5", 2.5, 2.5),
        ("Crawl-delay: 1e9", 1e9, 30.0),
        ("Crawl-delay: inf", None, 0.0),
        ("Crawl-delay: -1", None, 0.0),
        ("Crawl-delay: soon", None, 0.0),
    ],
)
def test_the_crawl_delay_is_kept_up_to_a_cap_and_the_wish_stays_visible_d19(
    line: str, asked: float | None, kept: float
) -> None:
    rules = _rules(f"User-agent: *\n{line}\n")

    assert (rules.asked_delay_seconds, rules.delay_seconds) == (asked, kept)


def test_sitemaps_are_listed_as_written() -> None:
    rules = _rules("Sitemap: https://example.com/a.xml\nsitemap: http://169.254.169.254/\n")

    assert rules.sitemaps == ("https://example.com/a.xml", "http://169.254.169.254/")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbfUser-agent: *\nAllow: /\n",
        bytes(range(256)) * 100,
        "User-agent: *\nAllow: /\n".encode("utf-16"),
        b"<!doctype html><title>not robots</title>",
        b"User-agent" * 60_000,
    ],
)
def test_no_file_breaks_the_reading_d18(body: bytes) -> None:
    assert _rules(body).allows("https://example.com/page")


def test_a_byte_order_mark_does_not_hide_the_first_group_d18() -> None:
    assert not _rules(b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n").allows("https://example.com/x")


def test_a_rule_that_the_size_cap_cut_in_two_does_not_forbid_more_than_it_said_d18() -> None:
    head = b"User-agent: *\n"
    filler = b"#" * (MOST_ROBOTS_BYTES - len(head) - len(b"\nDisallow: /")) + b"\n"
    long_file = head + filler + b"Disallow: /private\n"

    assert _rules(long_file).allows("https://example.com/page")
    cut = _file(long_file[:MOST_ROBOTS_BYTES], truncated=True)
    assert rules_from(cut, AGENT).allows("https://example.com/page")


def test_patterns_made_to_be_slow_are_not_s48() -> None:
    rules = _rules("User-agent: *\n" + ("Disallow: /" + "*a" * 10 + "b\n") * 10)
    started = time.process_time()

    rules.allows("https://example.com/" + "a" * 2000)

    assert time.process_time() - started < 0.5
