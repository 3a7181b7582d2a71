"""Crawl options: each is written once, and everything that speaks of it is made from that."""

from dataclasses import fields, replace

import pytest

from omni_pipeline.domain.crawl.options import (
    OPTIONS,
    CrawlOptions,
    describe_options,
    document_options,
    typed_as,
)


def test_every_field_is_an_option_with_a_flag_of_its_own() -> None:
    assert list(OPTIONS) == [field.name for field in fields(CrawlOptions)]
    names = [option.name for option in OPTIONS.values()]
    assert len(set(names)) == len(names)
    for option in OPTIONS.values():
        assert option.flag.startswith("--")
        assert option.help.endswith(".")


def test_a_field_that_may_be_none_is_typed_as_text_so_that_none_can_be_said() -> None:
    assert typed_as("page_limit") is typed_as("default_currency") is str
    assert typed_as("use_sitemap") is bool
    assert typed_as("concurrency") is int
    assert typed_as("include_patterns") == list[str]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"use_sitemap": False}, ("sitemap", "not read")),
        ({"page_limit": None}, ("page limit", "no limit")),
        ({"page_limit": 20_000}, ("page limit", "20,000 URLs in a crawl")),
        ({"render_mode": "browser"}, ("rendering", "browser")),
        ({"delay_seconds": 2.50}, ("delay", "2.5 s between requests, or what robots.txt asks for")),
        ({"concurrency": 7}, ("concurrency", "at most 7 requests at once")),
        ({"include_patterns": ["/a/*", "/b/*"]}, ("include", "/a/*  /b/*")),
        ({"exclude_patterns": ("/old/*",)}, ("exclude", "/old/*")),
        ({"browser_hosts": ("cdn.test",)}, ("browser hosts", "cdn.test")),
        ({"daily_token_budget": 9_000}, ("token budget", "9,000 tokens a day")),
        ({"has_products": False, "default_currency": "EUR"}, ("products", "not read")),
        ({"default_currency": "EUR"}, ("products", "read, in EUR")),
        (
            {"daily_price_points": True},
            ("products", "read, in the currency that pages tell, a point a day"),
        ),
    ],
)
def test_each_option_is_described_in_one_line(
    change: dict[str, object], line: tuple[str, str]
) -> None:
    before = dict(describe_options(CrawlOptions()))
    after = dict(describe_options(replace(CrawlOptions(), **change)))  # type: ignore[arg-type] # options by name
    assert dict([line]).items() <= after.items()
    assert {label for label in before if before[label] != after[label]} == {line[0]}


def test_the_documents_list_every_option_with_its_values_and_its_default() -> None:
    rows = {row.column: row for row in document_options()}
    assert list(rows) == list(OPTIONS)
    assert (rows["page_limit"].flag, rows["page_limit"].default) == ("--max-pages", "5000")
    assert rows["page_limit"].values == "N|none, 1 to 2,147,483,647"
    assert rows["render_mode"].values == "http, browser, auto"
    assert (rows["use_sitemap"].values, rows["use_sitemap"].default) == ("yes, no", "yes")
    assert (rows["include_patterns"].default, rows["daily_token_budget"].default) == ("none",) * 2
