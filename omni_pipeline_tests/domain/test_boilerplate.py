"""What a domain repeats is recognised, the same in any order, and does not flicker."""

import random

import pytest

from omni_pipeline.domain.boilerplate import (
    FEWEST_PAGES,
    MOST_PAGES,
    BoilerplateStatistics,
    leave_out,
    strip_markdown,
)
from omni_pipeline.domain.cleaning import CleanedPage, clean, content_hash

MENU = "- Home\n- Shop\n- Basket\n- Contact\n\n"
FOOTER = "\n\nAll prices include taxes, and we send to every island that has a harbour."


def text(number: int) -> str:
    return f"# Page {number}\n\nExample:\n\nOnly page {number} says this.\n\nMore of {number}."


def pages(count: int) -> dict[str, str]:
    return {f"https://s.example.test/{n}": f"{MENU}{text(n)}{FOOTER}" for n in range(count)}


def statistics(pages: dict[str, str]) -> BoilerplateStatistics:
    made = BoilerplateStatistics()
    for url, markdown in pages.items():
        made.add(url, markdown)
    return made


def test_menus_and_footers_go_and_content_stays() -> None:
    boilerplate = statistics(pages(20)).decide()

    for number, markdown in enumerate(pages(20).values()):
        assert strip_markdown(markdown, boilerplate) == text(number)


def test_a_short_label_between_content_stays_although_it_repeats() -> None:
    boilerplate = statistics(pages(20)).decide()

    assert "Example:" in strip_markdown(pages(1).popitem()[1], boilerplate)


def test_a_menu_between_content_goes_with_the_entry_of_the_page_itself() -> None:
    site = {
        f"https://s.example.test/{n}": f"Intro {n}.\n\n- Home\n- Shop\n- Own {n}\n- Basket\n- Help"
        f"\n\nText {n}."
        for n in range(20)
    }

    assert strip_markdown(site["https://s.example.test/3"], statistics(site).decide()) == (
        "Intro 3.\n\nText 3."
    )


@pytest.mark.parametrize("block", ["```\nimport tides\n```", "| a | b |\n| --- | --- |\n| 1 | 2 |"])
def test_code_and_tables_are_never_boilerplate(block: str) -> None:
    site = {url: f"{markdown}\n\n{block}" for url, markdown in pages(20).items()}

    stripped = strip_markdown(next(iter(site.values())), statistics(site).decide())

    assert stripped.endswith(block)


def test_few_pages_prove_nothing() -> None:
    assert statistics(pages(FEWEST_PAGES - 1)).decide() == frozenset()
    assert statistics(pages(FEWEST_PAGES)).decide()


def test_copies_of_one_page_prove_nothing() -> None:
    copies = dict.fromkeys((f"https://s.example.test/?s={n}" for n in range(50)), text(1))

    assert statistics(copies).decide() == frozenset()


def test_the_order_of_pages_does_not_matter_and_memory_is_bounded() -> None:
    site = list(pages(3 * MOST_PAGES).items())
    ordered = statistics(dict(site)).to_bytes()
    random.Random(1).shuffle(site)
    halves = statistics(dict(site[:200])), statistics(dict(site[200:]))
    halves[0].merge(halves[1])

    assert statistics(dict(site)).to_bytes() == ordered == halves[0].to_bytes()
    assert len(ordered) < 20 * MOST_PAGES * 8 * 2


def test_statistics_survive_being_stored() -> None:
    made = statistics(pages(20))
    restored = BoilerplateStatistics.from_bytes(made.to_bytes())

    assert restored.to_bytes() == made.to_bytes()
    assert restored.decide() == made.decide()
    assert BoilerplateStatistics.from_bytes(b"").decide() == frozenset()


def test_a_page_that_changed_or_went_is_counted_once_or_not_at_all() -> None:
    made = statistics(pages(20))
    for url, markdown in pages(20).items():
        made.add(url, markdown)
    assert made.to_bytes() == statistics(pages(20)).to_bytes()

    for url in pages(20):
        made.forget(url)
    assert made.decide() == frozenset()


def test_a_decision_stands_while_pages_lose_the_block() -> None:
    site = pages(40)
    before = statistics(site).decide()
    fewer = {
        url: markdown if number < 8 else markdown.removesuffix(FOOTER)
        for number, (url, markdown) in enumerate(site.items())
    }

    assert statistics(fewer).decide(before) == before
    assert statistics(fewer).decide() < before


def test_a_page_of_nothing_else_is_left_alone() -> None:
    boilerplate = statistics(pages(20)).decide()

    assert strip_markdown(MENU.strip() + FOOTER, boilerplate) == MENU.strip() + FOOTER


def test_the_page_gets_the_hash_of_what_is_left() -> None:
    page = clean(
        f"<title>T</title><p>One page says only this.</p><p>{FOOTER}</p>",
        url="https://s.example.test/",
    )
    assert isinstance(page, CleanedPage)

    left = leave_out(page, statistics(pages(20)).decide())

    assert left.markdown == "One page says only this."
    assert left.content_hash == content_hash("T", "One page says only this.")
    assert leave_out(left, frozenset()) is left
