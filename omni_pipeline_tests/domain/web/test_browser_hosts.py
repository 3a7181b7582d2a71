"""What a browser may load while it shows a page (S-33, S-34, S-42)."""

import pytest

from omni_pipeline.domain.web.browser_hosts import browser_may_load


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "www.example.com",
        "WWW.Example.com",
        "static.example.com",
        "a.b.example.com",
        "cdn.partner.test",
        "eu.cdn.partner.test",
        "unpkg.com",
        "cdn.jsdelivr.net",
    ],
)
@pytest.mark.parametrize("site_host", ["example.com", "www.example.com"])
def test_the_site_its_subdomains_named_hosts_and_library_hosts_may_be_loaded(
    host: str, site_host: str
) -> None:
    assert browser_may_load(host, site_host=site_host, further=("CDN.partner.test",))


@pytest.mark.parametrize(
    "host",
    [
        "evil-example.com",
        "example.com.evil.test",
        "com",
        "partner.test",
        "evil.unpkg.com",
        "accounts.google.com",
        "update.googleapis.com",
        "localhost",
        "127.0.0.1",
        "10.0.0.1",
        "::1",
        "2130706433",
        "0x7f.1",
        "example.com:80",
        "example.com.",
        "",
    ],
)
def test_no_other_host_may_be_loaded(host: str) -> None:
    """S-33, S-42."""
    further = ("cdn.partner.test", "com", "10.0.0.1", "", "not a host")
    assert not browser_may_load(host, site_host="example.com", further=further)


def test_a_site_below_another_opens_nothing_above_itself() -> None:
    assert not browser_may_load("example.com", site_host="docs.example.com", further=())
    assert not browser_may_load("other.com", site_host="www.com", further=())


@pytest.mark.parametrize("site_host", ["127.0.0.1", "::1"])
def test_an_address_may_be_loaded_only_where_it_is_the_site(site_host: str) -> None:
    assert browser_may_load(site_host, site_host=site_host, further=())
    assert browser_may_load("unpkg.com", site_host=site_host, further=())
    assert not browser_may_load("127.0.0.2", site_host=site_host, further=("127.0.0.2",))
    assert not browser_may_load("1.127.0.0.1", site_host=site_host, further=())
