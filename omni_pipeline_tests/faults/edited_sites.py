"""A site in two versions: what an editor did between them touches every kind of change."""

import json
from collections.abc import Mapping

from omni_pipeline_tests.sites import Page, Script, redirect

PAGES = 66
GONE = Page(status=410)

_CHANGED = range(58)
_MOVED = 58
_MISSING = 59
_REMOVED = (60, 61)
_COPY = 62

_WORDS = "The garden is watered at dawn, when the soil is cool and the wind has not yet risen."


def version_1() -> Mapping[str, Script]:
    """A home page and the pages that it links to."""
    return site(dict.fromkeys(range(PAGES), 1))


def version_2() -> Mapping[str, Script]:
    """Most pages are edited in part, two are new; five are to leave, each for its own reason."""
    versions = {number: 2 if number in _CHANGED else 1 for number in range(PAGES + 2)}
    pages = dict(site(versions))
    pages["/moved"] = page(PAGES + 2, 1)
    pages[_path(_MOVED)] = redirect("/moved", 301)
    pages[_path(_MISSING)] = Page(status=404)
    pages[_path(_COPY)] = f'<html><link rel="canonical" href="{_path(_COPY + 1)}">Copy</html>'
    return pages | dict.fromkeys(map(_path, _REMOVED), GONE)


def _path(number: int) -> str:
    return f"/page-{number}"


def site(version_by_page: Mapping[int, int], name: str = "") -> Mapping[str, Script]:
    """A home page and those that it links to, each in its version."""
    links = "".join(f'<a href="{_path(number)}">page {number}</a> ' for number in version_by_page)
    home = f"<html><title>Home</title><main><h1>Home</h1><p>{_WORDS}</p>{links}</main></html>"
    pages = {
        _path(number): page(number, version, name) for number, version in version_by_page.items()
    }
    return {"/": home, **pages}


def page(number: int, version: int, name: str = "") -> str:
    """Two sections that stand in every version of the page, two that are of this version.

    Every tenth page sells something, whose price rises with each version.
    """
    titles = ("Services", f"Sowing {version}", "Seeds", f"Harvest {version}")
    sections = "".join(
        f"<h2>{title}</h2><p>{title} of page {number} {name}. {_WORDS * 2}</p>" for title in titles
    )
    head = _offer(number, version) if number % 10 == 0 else ""
    return (
        f"<html><title>Page {number}</title>{head}<main><h1>Page {number}</h1>{sections}"
        '<a href="/">home</a></main></html>'
    )


def _offer(number: int, version: int) -> str:
    offer = {"@type": "Offer", "price": f"{100 + version % 10}.50", "priceCurrency": "EUR"}
    product = {"@type": "Product", "name": f"Tool {number}", "sku": f"T{number}", "offers": offer}
    return f'<script type="application/ld+json">{json.dumps(product)}</script>'
