"""What robots.txt permits (RFC 9309; F-D14 to F-D19, S-48)."""

import time

import pytest

from omni_pipeline.domain.crawl.robots import (
    MAX_ROBOTS_BYTES,
    RobotsRules,
    robots_text,
    rules_from,
    rules_from_copy,
)
from omni_pipeline.domain.web.outcomes import (
    Blocked,
    Fetched,
    Forbidden,
    Gone,
    Outcome,
    Unreachable,
    Unusable,
)

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


def test_a_disallowed_path_is_not_allowed() -> None:
    """F-D14."""
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
def test_a_site_without_robots_may_be_crawled(outcome: Outcome) -> None:
    """F-D16, F-D17."""
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
def test_where_robots_cannot_be_read_nothing_may_be_fetched(
    outcome: Unreachable | Blocked | Forbidden | Unusable,
) -> None:
    """F-D15."""
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
def test_the_crawl_delay_is_kept_up_to_a_cap_and_the_wish_stays_visible(
    line: str, asked: float | None, kept: float
) -> None:
    """F-D19."""
    rules = _rules(f"User-agent: *\n{line}\n")

    assert (rules.asked_delay_seconds, rules.delay_seconds) == (asked, kept)


def test_sitemaps_are_listed_as_written() -> None:
    rules = _rules("Sitemap: https://example.com/a.xml\nsitemap http://169.254.169.254/\nSitemap:")

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
def test_no_file_breaks_the_reading(body: bytes) -> None:
    """F-D18."""
    assert _rules(body).allows("https://example.com/page")


def test_a_byte_order_mark_does_not_hide_the_first_group() -> None:
    """F-D18."""
    assert not _rules(b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n").allows("https://example.com/x")


def test_a_rule_that_the_size_cap_cut_in_two_does_not_forbid_more_than_it_said() -> None:
    """F-D18."""
    head = b"User-agent: *\n"
    filler = b"#" * (MAX_ROBOTS_BYTES - len(head) - len(b"\nDisallow: /")) + b"\n"
    long_file = head + filler + b"Disallow: /private\n"

    assert _rules(long_file).allows("https://example.com/page")
    cut = _file(long_file[:MAX_ROBOTS_BYTES], truncated=True)
    assert rules_from(cut, AGENT).allows("https://example.com/page")


def test_patterns_made_to_be_slow_are_not() -> None:
    """S-48."""
    rules = _rules("User-agent: *\n" + ("Disallow: /" + "*a" * 10 + "b\n") * 10)
    started = time.process_time()

    rules.allows("https://example.com/" + "a" * 2000)

    assert time.process_time() - started < 0.5


# RFC 9309, and the cases of Google's parser (github.com/google/robotstxt, robots_test.cc).

US = "user-agent: omni-pipeline\n"


@pytest.mark.parametrize(
    ("rules", "target", "allowed"),
    [
        # 2.2.2 the longest match wins, and allow wins a tie
        ("disallow: /x/page.html\nallow: /x/", "/x/page.html", False),
        ("allow: /x/page.html\ndisallow: /x/", "/x/page.html", True),
        ("allow: /x/page.html\ndisallow: /x/", "/x/", False),
        ("disallow: /x\nallow: /x", "/x", True),
        ("disallow: /\nallow: /", "/x", True),
        ("disallow: /x\nallow: /x/", "/x", False),
        ("disallow: /x\nallow: /x/", "/x/", True),
        ("disallow: /*.html\nallow: /page", "/page.html", False),
        ("disallow: /*.html\nallow: /page", "/page", True),
        ("disallow: /*/page.html\nallow: /x/page.html", "/x/page.html", True),
        # nothing, and the empty rule
        ("disallow:", "/x", True),
        ("", "/x", True),
        ("disallow: /\ndisallow:", "/x", False),
        # paths are compared by case; a rule without a leading slash matches nothing
        ("disallow: /X/", "/x/y", True),
        ("disallow: x", "/x", True),
        # 2.2.3 special characters
        ("disallow: /foo/bar/quz\nallow: /foo/*/qux", "/foo/bar/quz", False),
        ("disallow: *.gif$", "/a/b.gif", False),
        ("disallow: *.gif$", "/a/b.gif?x", True),
        ("disallow: /path$", "/path", False),
        ("disallow: /path$", "/path/", True),
        ("disallow: /fish*", "/fishheads/yummy.html", False),
        ("disallow: /fish*.php", "/fish?id=x.php", False),
        ("disallow: /*?", "/a?b", False),
        ("disallow: /**//a", "/b//a", False),
        ("disallow: /\nallow: /$", "/", True),
        ("disallow: /\nallow: /$", "/page", False),
        # 2.2.2 percent-encoding: both sides in one spelling
        (
            "disallow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par",
            "/foo/bar?qux=taz&baz=http://foo.bar?tar&par",
            False,
        ),
        ("disallow: /foo/bar/\u30c4", "/foo/bar/%E3%83%84", False),
        ("disallow: /foo/bar/%E3%83%84", "/foo/bar/%E3%83%84", False),
        ("disallow: /foo/bar/%e3%83%84", "/foo/bar/%E3%83%84", False),
        ("disallow: /foo/bar/%62%61%7A", "/foo/bar/baz", False),
        ("disallow: /path/file-with-a-%2A.html", "/path/file-with-a-*.html", False),
        ("disallow: /path/file-with-a-%2A.html", "/path/file-with-a-b.html", True),
        ("disallow: /path/foo-%24", "/path/foo-$", False),
        ("disallow: /a%2Fb", "/a/b", True),
        ("disallow: /a%2Fb", "/a%2Fb", False),
        # Google: index.html is its folder
        ("allow: /x/index.html\ndisallow: /", "/x/", True),
        ("allow: /x/index.html\ndisallow: /", "/x/index.htm", False),
        # comments, blanks, missing colons, misspellings
        ("  disallow : /x # not /y", "/x", False),
        ("disallow: /x#y", "/x", False),
        ("disallow /x", "/x", False),
        ("disallow\t/x", "/x", False),
        ("disallow", "/x", True),
        ("DISALLOW: /x", "/x", False),
        ("disalow: /x", "/x", False),
        ("no-index: /x\ndisallow: /x", "/x", False),
        ("disallow: /a\u2028allow: /", "/a\u2028", True),  # not one line, and not two rules
        ("disallow: /a\u2028disallow: /x", "/x", True),
    ],
)
def test_rules_match_as_the_rfc_says(rules: str, target: str, allowed: bool) -> None:  # noqa: FBT001 - the answer
    assert _rules(f"{US}{rules}\n").allows(f"https://example.com{target}") is allowed


@pytest.mark.parametrize(
    ("file", "allowed"),
    [
        # 2.2.1 the product token, whatever its case; what follows it does not matter
        ("User-Agent: OMNI-Pipeline\nDisallow: /", False),
        ("user-agent: omni-pipeline/1.0\ndisallow: /", False),
        ("user-agent: omni-pipeline (any)\ndisallow: /", False),
        ("user-agent omni-pipeline\ndisallow: /", False),
        # neither a piece of it nor a longer name
        ("user-agent: omni\ndisallow: /", True),
        ("user-agent: o\ndisallow: /", True),
        ("user-agent: pipeline\ndisallow: /", True),
        ("user-agent: omni-pipeline-images\ndisallow: /", True),
        # everyone's rules hold where nobody's name is ours
        ("user-agent: *\ndisallow: /", False),
        ("user-agent: * everyone\ndisallow: /", False),
        ("user-agent: *bot\ndisallow: /", True),
        ("user-agent: *\ndisallow: /\nuser-agent: omni-pipeline\nallow: /y", True),
        ("user-agent: *\ndisallow: /\nuser-agent: omni-pipeline", True),
        ("user-agent: *\ndisallow: /\n\nuser-agent: omni-pipeline\ndisallow:", True),
        # groups of one name are one group, wherever they stand
        (f"{US}allow: /a\nuser-agent: b\ndisallow: /b\n{US}disallow: /x", False),
        ("user-agent: b\nuser-agent: omni-pipeline\ndisallow: /x", False),
        ("user-agent: omni-pipeline\n\nuser-agent: b\ndisallow: /x", False),
        ("user-agent: omni-pipeline\nallow: /\nuser-agent: b\ndisallow: /x", True),
        # 2.2.4 other records do not end a list of names
        ("user-agent: omni-pipeline\nsitemap: https://a.test/\nuser-agent: b\ndisallow: /", False),
        ("user-agent: omni-pipeline\nunknown: 1\nuser-agent: b\ndisallow: /", False),
        # but who slows everyone down and shuts one out has not shut everyone out
        ("user-agent: *\ncrawl-delay: 5\n\nuser-agent: b\ndisallow: /", True),
        # rules before any name are nobody's
        ("disallow: /\nuser-agent: b\ndisallow: /", True),
        # 2.2 line ends
        ("user-agent: *\rdisallow: /\r", False),
        ("user-agent: *\r\ndisallow: /\r\n", False),
        ("user-agent: *\n\r\n\rdisallow: /", False),
    ],
)
def test_groups_are_found_as_the_rfc_says(file: str, allowed: bool) -> None:  # noqa: FBT001 - the answer
    assert _rules(file).allows("https://example.com/x") is allowed


def test_a_line_is_read_up_to_sixteen_thousand_characters() -> None:
    long_line = "disallow: /" + "a" * 20_000
    rules = _rules(f"{US}{'x' * 20_000}\n{long_line}\ndisallow: /private\n")

    assert rules.allows("https://example.com/aaa")
    assert not rules.allows("https://example.com/private")
    assert not _rules(f"{US}disallow: /x{' ' * 20_000}/y\n").allows("https://example.com/x")


def test_a_stored_copy_rules_as_the_file_did() -> None:
    body = b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /p\0\xff\nCrawl-delay: 3\nSitemap: https://a.test/\n"

    copy = robots_text(_file(body))

    assert "\0" not in copy  # Postgres stores none
    rules = rules_from_copy(copy, AGENT)
    assert (rules.asked_delay_seconds, rules.sitemaps) == (3.0, ("https://a.test/",))
    assert not rules.allows("https://example.com/p%EF%BF%BD%EF%BF%BD")
    assert rules_from_copy("", AGENT).allows("https://example.com/")


def test_the_stored_copy_is_cut_between_lines() -> None:
    """F-D18."""
    for end in ("\n", "\r"):
        lines = f"disallow: /private{end}" * 40_000
        copy = robots_text(_file(lines))
        assert MAX_ROBOTS_BYTES - 30 < len(copy) <= MAX_ROBOTS_BYTES
        assert copy.endswith(f"/private{end}")
    assert robots_text(_file("disallow: /pri", truncated=True)) == ""


@pytest.mark.parametrize(
    "unit",
    [
        "user-agent: a\n",
        "user-agent: *\n",
        "disallow: /*a*b$\n",
        "disallow: /",
        "\n",
        "*a",
        "%e3",
        ":",
    ],
)
def test_reading_half_a_megabyte_is_quick_whatever_it_says(unit: str) -> None:
    """F-D18, S-48."""
    body = "user-agent: *\nuser-agent: omni-pipeline\n" + unit * (MAX_ROBOTS_BYTES // len(unit))
    started = time.process_time()

    _rules(body).allows("https://example.com/" + "ab" * 1000)

    assert time.process_time() - started < 1
