"""URLs that are alike, and URLs without end (R-A3, F-D23, S-51)."""

import time
import uuid
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.crawl.patterns import (
    MAX_PATTERNS,
    PatternBudget,
    is_pathological,
    url_pattern,
)

SITE = "https://example.com"
SESSION = "8f14e45fceea167a5a36dedd4bea2543"


@pytest.mark.parametrize(
    ("target", "pattern"),
    [
        ("/", "/"),
        ("/about", "/*"),
        ("/about/", "/*"),
        ("/library/os.html", "/library/*.html"),
        ("/library/os.path.html", "/library/*.html"),
        ("/wiki/M%C3%BCller", "/wiki/*"),
        ("/wiki/Henry_8", "/wiki/#"),
        ("/a/b/", "/a/*"),
        ("/a/b/c", "/a/b/*"),
        ("/a/b/c/d", "/a/b/+2"),
        ("/cal/2026/11/23", "/cal/#/+2#"),
        ("/cal/2026/11/23?next=1", "/cal/#/+2#?next"),
        ("/3.11/library/os.html", "/#.#/library/*.html"),
        ("/p/0b6f3c1e-2d4a-4c8b-9e7f-1a2b3c4d5e6f", "/p/#"),
        (f"/img-{SESSION}/x", "/img-#/*"),
        ("/deadbeef/x", "/deadbeef/*"),
        ("/?b=2&a=1&b=3", "/?a&b"),
        ("/list?filter[12]=x&page", "/list?filter[#]&page"),
    ],
)
def test_a_pattern_keeps_the_folder_and_forgets_numbers_names_and_values(
    target: str, pattern: str
) -> None:
    """F-D23."""
    expected = pattern.replace("/list", "/*").replace("[", "%5B").replace("]", "%5D")
    url = SITE + target.replace("[", "%5B").replace("]", "%5D")
    assert url_pattern(url) == expected


def test_the_host_is_not_part_of_a_pattern() -> None:
    assert url_pattern("http://127.0.0.1:8080/a/b") == url_pattern(f"{SITE}/a/c")


@given(st.text("/a1-.%?&=#;[", max_size=80))
def test_any_url_has_a_pattern_that_is_no_longer_than_itself_and_a_little(text: str) -> None:
    url = f"{SITE}/{text}"

    assert url_pattern(url).startswith("/")
    assert len(url_pattern(url)) <= len(url)
    assert is_pathological(url) in (True, False)


@pytest.mark.parametrize(
    "target",
    [
        "/a/a/a/",
        "/a/b/a/b/a/b",
        "/docs/x/docs/y/docs/z",
        "/x////y",
        "/" + "/".join("abcdefghijklmnopq"),
        f"/page;jsessionid={SESSION}",
        f"/page;jsessionid={SESSION}?x=1",
        "/(S(lit3py55t21z5v55vlm25s55))/orders",
        f"/x?PHPSESSID={SESSION}",
        f"/x?a=1&sid={SESSION}",
        f"/x?session_id={SESSION}",
        "/x?ASPSESSIONIDQQ=ABCDEF",
        "/x?CFID=12&CFTOKEN=34",
    ],
)
def test_paths_that_repeat_and_urls_that_carry_a_session_are_pathological(target: str) -> None:
    """F-D23."""
    assert is_pathological(SITE + target)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a/a/",
        "/a/b/a/b/",
        "/2011/11/11/11",
        "/" + "/".join("abcdefghijklmnop"),
        "/programme?session_id=12",
        "/story?sid=4711",
        "/?s=a-search-for-something-long",
        "/assess/ids?id=5",
        "/web/2020/http://example.org/",
    ],
)
def test_ordinary_urls_are_not_pathological(target: str) -> None:
    assert not is_pathological(SITE + target)


def _admitted(budget: PatternBudget, urls: list[str]) -> int:
    return sum(budget.admits(url) for url in urls)


def test_an_endless_calendar_ends() -> None:
    """F-D23."""
    days = list(product(range(2000, 2100), range(1, 13), range(1, 29)))
    budget = PatternBudget()

    plain = _admitted(budget, [f"{SITE}/cal/{y}/{m}/{d}" for y, m, d in days])
    queried = _admitted(budget, [f"{SITE}/cal/{y}/{m}/{d}?next=1" for y, m, d in days])

    assert (plain, queried) == (2000, 200)
    assert budget.spent == ("/cal/#/+2#", "/cal/#/+2#?next")


def test_facets_of_a_list_share_one_budget_whatever_their_order() -> None:
    """F-D23."""
    facets = product(("red", "blue", "green"), ("s", "m", "l"), range(40))
    urls = [f"{SITE}/shoes?color={c}&size={s}&page={p}" for c, s, p in facets]
    turned = [f"{SITE}/shoes?page={p}&size=xl&color=red" for p in range(100)]
    budget = PatternBudget()

    assert _admitted(budget, urls) == 200
    assert _admitted(budget, turned) == 0
    assert budget.spent == ("/*?color&page&size",)


def test_a_documentation_site_is_not_cut() -> None:
    pages = [f"{SITE}/3/library/module{number}.html" for number in range(500)]
    budget = PatternBudget()

    assert _admitted(budget, pages) == 500
    assert budget.spent == ()


def test_a_wiki_of_words_in_one_folder_may_be_large_and_still_ends() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    titles = [f"{SITE}/wiki/{''.join(title)}" for title in product(letters, letters, letters)]
    budget = PatternBudget(words=15_000)

    assert _admitted(budget, titles[:15_000]) == 15_000
    assert _admitted(budget, titles[15_000:]) == 0
    assert budget.spent == ("/wiki/*",)


def test_the_budgets_are_the_callers() -> None:
    budget = PatternBudget(with_query=1, without_query=2)

    assert _admitted(budget, [f"{SITE}/x?a={number}" for number in range(5)]) == 1
    assert _admitted(budget, [f"{SITE}/x/{number}" for number in range(5)]) == 2


def test_patterns_without_end_share_what_is_left_and_memory_stays_small() -> None:
    """F-D23."""
    names = ["".join(name) for name in product("abcdefghijk", repeat=4)]  # 14,641
    budget = PatternBudget(without_query=1000)

    admitted = _admitted(budget, [f"{SITE}/{name}/page" for name in names])

    assert admitted == MAX_PATTERNS + 1000
    assert budget.spent == ("any other pattern",)
    assert budget.admits(f"{SITE}/aaaa/other")  # an old pattern keeps its own budget


def test_judging_is_cheap() -> None:
    """S-51."""
    urls = [f"{SITE}/{uuid.UUID(int=number)}/x/{number}?a=1&b=2" for number in range(10_000)]
    urls += [f"{SITE}/" + "a" * 2000, f"{SITE}/?" + "&" * 2000, f"{SITE}/?s=" + "a" * 2000]
    urls += [f"{SITE}/" + "0a" * 1000, f"{SITE}/" + "f" * 2000, f"{SITE}/" + "f-" * 1000]
    budget = PatternBudget()
    started = time.process_time()

    for url in urls:
        is_pathological(url)
        budget.admits(url)

    assert time.process_time() - started < 2
