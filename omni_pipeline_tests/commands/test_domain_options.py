"""How a domain is crawled, as a person types it: what was said, and what breaks a rule."""

from typing import Any

import pytest

from omni_pipeline.commands.domain_options import read_options
from omni_pipeline.errors import SettingsError


def read(**given: Any) -> dict[str, Any]:
    """Of options by the names of their flags."""
    return read_options(**given)


def test_only_what_was_said_is_an_option() -> None:
    assert read() == {}
    assert read(delay=0.0, sitemap=False) == {"delay_seconds": 0.0, "use_sitemap": False}
    assert read(render="browser") == {"render_mode": "browser"}
    assert read(max_pages="20000", concurrency=2) == {"page_limit": 20_000, "concurrency": 2}


def test_a_currency_is_one_of_iso_4217_or_none() -> None:
    assert read(currency="chf") == {"default_currency": "CHF"}
    assert read(currency="none", products=False) == {
        "default_currency": None,
        "has_products": False,
    }
    with pytest.raises(SettingsError, match="--currency 'Taler'"):
        read(currency="Taler")


@pytest.mark.parametrize("text", ["none", "None"])
def test_no_limit_is_something_else_than_nothing_said(text: str) -> None:
    assert read(max_pages=text) == {"page_limit": None}


def test_a_list_is_taken_whole_and_an_empty_value_empties_it() -> None:
    assert read(include=["/a/*", "*?page=2", "/a/*"]) == {"include_patterns": ("/a/*", "*?page=2")}
    assert read(include=[""], exclude=[""]) == {"include_patterns": (), "exclude_patterns": ()}
    assert read(browser_host=[""]) == {"browser_hosts": ()}


def test_browser_hosts_have_one_spelling() -> None:
    """R-C8: the one grammar of hosts."""
    given = ["CDN.Example.com", "bücher.example", "cdn.example.com"]
    assert read(browser_host=given) == {
        "browser_hosts": ("cdn.example.com", "xn--bcher-kva.example")
    }


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "٣", "9" * 12, ""])
def test_a_page_limit_is_a_whole_number_or_none(text: str) -> None:
    with pytest.raises(SettingsError, match="--max-pages none") as caught:
        read(max_pages=text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("option", ["include", "exclude"])
def test_a_pattern_that_would_match_nothing_is_refused(option: str) -> None:
    with pytest.raises(SettingsError, match="begin with a slash") as caught:
        read(**{option: ["/good/*", "docs/*"]})
    assert f"--{option} 'docs/*'" in str(caught.value)
    assert "'/docs/*'" in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["https://cdn.test/", "cdn.test:8080", "cdn", "a b.test", "-a.test", "*.cdn.test", "a..test"],
)
def test_a_browser_host_outside_the_grammar_is_refused(host: str) -> None:
    """R-C8"""
    with pytest.raises(SettingsError, match=r"cdn\.example\.com") as caught:
        read(browser_host=[host])
    assert f"--browser-host {host!r}" in str(caught.value)
