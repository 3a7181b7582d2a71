"""What a domain repeats is recognised, the same in any order, and does not flicker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.text.boilerplate import (
    MAX_BLOCKS_AT_AN_END,
    MIN_PAGES,
    decide,
    fingerprint,
    leave_out,
    pack,
    strip_markdown,
    unpack,
)
from omni_pipeline.domain.text.cleaning import CleanedPage, clean, content_hash

MENU = "- Home\n- Shop\n- Basket\n- Contact\n\n"
FOOTER = "\n\nAll prices include taxes, and we send to every island that has a harbour."


def text(number: int) -> str:
    return f"# Page {number}\n\nExample:\n\nOnly page {number} says this.\n\nMore of {number}."


def pages(count: int) -> dict[str, str]:
    return {f"https://s.example.test/{n}": f"{MENU}{text(n)}{FOOTER}" for n in range(count)}


def boilerplate_of(pages: dict[str, str], before: frozenset[int] = frozenset()) -> frozenset[int]:
    return decide(map(fingerprint, pages.values()), before)


def test_menus_and_footers_go_and_content_stays() -> None:
    boilerplate = boilerplate_of(pages(20))

    for number, markdown in enumerate(pages(20).values()):
        assert strip_markdown(markdown, boilerplate) == text(number)


def test_a_short_label_between_content_stays_although_it_repeats() -> None:
    boilerplate = boilerplate_of(pages(20))

    assert "Example:" in strip_markdown(pages(1).popitem()[1], boilerplate)


def test_what_says_nothing_goes_only_with_what_is_repeated() -> None:
    assert strip_markdown("# +\n\nThe sum.", boilerplate_of(pages(20))) == "# +\n\nThe sum."


def test_a_menu_between_content_goes_with_the_entry_of_the_page_itself() -> None:
    site = {
        f"https://s.example.test/{n}": f"Intro {n}.\n\n- Home\n- Shop\n- Own {n}\n- Basket\n- Help"
        f"\n\nText {n}."
        for n in range(20)
    }

    assert strip_markdown(site["https://s.example.test/3"], boilerplate_of(site)) == (
        "Intro 3.\n\nText 3."
    )


@pytest.mark.parametrize("block", ["```\nimport tides\n```", "| a | b |\n| --- | --- |\n| 1 | 2 |"])
def test_code_and_tables_are_never_boilerplate(block: str) -> None:
    site = {url: f"{markdown}\n\n{block}" for url, markdown in pages(20).items()}

    stripped = strip_markdown(next(iter(site.values())), boilerplate_of(site))

    assert stripped.endswith(block)


def test_few_pages_prove_nothing() -> None:
    assert boilerplate_of(pages(MIN_PAGES - 1)) == frozenset()
    assert boilerplate_of(pages(MIN_PAGES))


def test_copies_of_one_page_prove_nothing() -> None:
    copies = dict.fromkeys((f"https://s.example.test/?s={n}" for n in range(50)), text(1))

    assert boilerplate_of(copies) == frozenset()


def test_the_order_of_pages_does_not_matter_and_fingerprints_are_bounded() -> None:
    site = pages(40)
    long = fingerprint("\n\n".join(f"Paragraph {number}." for number in range(10_000)))

    assert boilerplate_of(dict(reversed(site.items()))) == boilerplate_of(site)
    assert len(long) == 2 * MAX_BLOCKS_AT_AN_END * 8


def test_a_decision_survives_being_stored() -> None:
    decision = boilerplate_of(pages(20))

    assert unpack(pack(decision)) == decision
    assert pack(sorted(decision, reverse=True)) == pack(decision)
    assert unpack(b"") == frozenset()


@given(
    st.lists(st.sets(st.integers(0, 30)), max_size=40),
    st.frozensets(st.integers(0, 30)),
)
def test_deciding_twice_decides_the_same(pages: list[set[int]], before: frozenset[int]) -> None:
    """R-A19: a run that was cut off after it decided goes on as if it had not been."""
    fingerprints = [pack(page) for page in pages]
    decision = decide(fingerprints, before)

    assert decide(fingerprints, decision) == decision


def test_what_a_third_of_a_shop_says_of_its_goods_stays() -> None:
    lamp = "A lamp of brass that was made by hand, with two metres of cable and a plug."
    site = {
        f"https://s.example.test/{n}": f"# Thing {n}\n\nNumber {n}."
        + (f"\n\n{lamp}" if n % 5 < 2 else "")
        for n in range(40)
    }

    assert lamp in strip_markdown(site["https://s.example.test/0"], boilerplate_of(site))


def test_one_page_more_changes_nothing() -> None:
    for count in range(MIN_PAGES, 60):
        decision = boilerplate_of(pages(count))
        assert boilerplate_of(pages(count + 1), decision) == decision
        assert boilerplate_of(pages(count - 1), decision) == decision


def test_a_decision_stands_while_pages_lose_the_block() -> None:
    site = pages(40)
    before = boilerplate_of(site)
    fewer = {
        url: markdown if number < 11 else markdown.removesuffix(FOOTER)
        for number, (url, markdown) in enumerate(site.items())
    }

    assert boilerplate_of(fewer, before) == before
    assert boilerplate_of(fewer) < before


def test_a_page_of_nothing_else_is_left_alone() -> None:
    boilerplate = boilerplate_of(pages(20))

    assert strip_markdown(MENU.strip() + FOOTER, boilerplate) == MENU.strip() + FOOTER


def test_the_page_gets_the_hash_of_what_is_left() -> None:
    page = clean(
        f"<title>T</title><p>One page says only this.</p><p>{FOOTER}</p>",
        url="https://s.example.test/",
    )
    assert isinstance(page, CleanedPage)

    left = leave_out(page, boilerplate_of(pages(20)))

    assert left.markdown == "One page says only this."
    assert left.content_hash == content_hash("T", "One page says only this.")
    assert leave_out(left, frozenset()) is left


def test_a_page_that_says_where_its_content_is_stays_as_it_is() -> None:
    page = clean(
        f"<title>T</title><main><p>One page says only this.</p><p>{FOOTER}</p></main>",
        url="https://s.example.test/",
    )
    assert isinstance(page, CleanedPage)

    assert leave_out(page, boilerplate_of(pages(20))) is page
