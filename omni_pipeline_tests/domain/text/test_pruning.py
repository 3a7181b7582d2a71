"""Content is told from its frame block by block, and no rule leaves next to nothing of a page."""

from omni_pipeline.domain.text.cleaning import CleanedPage, clean

SENTENCES = (
    "The north pump lifts water to the upper tank every morning before the sun reaches the glass. "
    "Growers who measured it for a season found that the valve opens later on cloudy days. "
    "Nobody had expected that the second tank would overflow twice in the same week of April. "
)


def read(html: str) -> str:
    page = clean(html, url="https://site.example.test/")
    assert isinstance(page, CleanedPage), page
    return page.markdown


def test_names_of_layout_do_not_take_an_article_away() -> None:
    declared = "<meta property='og:type' content=article>"
    parts = "".join(
        f"<div class='elementor-widget media-body sidebar'><p>{SENTENCES} Mark {number}.</p></div>"
        for number in range(12)
    )
    markdown = read(f"{declared}<body><div class=paywall><h1>Pumps</h1>{parts}</div></body>")

    assert all(f"Mark {number}." in markdown for number in range(12))


def test_an_element_that_is_never_closed_does_not_take_the_page_away() -> None:
    text = f"<h1>Pumps</h1>{''.join(f'<p>{SENTENCES}</p>' for _ in range(9))}"

    assert read(f"<body><aside><p>Newest first{text}").count("north pump") == 9


def test_menus_and_footers_of_a_long_page_are_left_out() -> None:
    menu = "".join(f"<li><a href=/{number}>Department {number}</a></li>" for number in range(30))
    text = "".join(f"<p>{SENTENCES}</p>" for _ in range(12))
    html = (
        f"<body><nav><ul>{menu}</ul></nav><article><h1>Pumps</h1>{text}</article>"
        "<footer><p>© 2024 All rights reserved</p></footer></body>"
    )

    assert read(html).count("north pump") == 12
    assert "Department" not in read(html)
    assert "All rights reserved" not in read(html)
