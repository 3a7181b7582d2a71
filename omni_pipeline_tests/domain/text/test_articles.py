"""Articles are found among their surroundings, and nothing else is taken for one."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from omni_pipeline.domain.text.articles import is_article
from omni_pipeline.domain.text.cleaning import CleanedPage, clean

DECLARED = "<meta property='og:type' content='article'>"
PROSE = "<p>It rained for a week, and then the river came up to the third step.</p>"


def article(html: str) -> str:
    page = clean(f"{DECLARED}<body>{html}</body>", url="https://site.example.test/a")
    assert isinstance(page, CleanedPage), page
    return page.markdown


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (DECLARED, True),
        ("<meta property='article:published_time' content=''>", True),
        ("<div itemprop='text articleBody'>", True),
        ('<script type="application/ld+json">{"@type":"NewsArticle"}</script>', True),
        ('<script type="application/ld+json">{"@type": ["BlogPosting"]}</script>', True),
        ('<script type="application/ld+json">{"@type":"TechArticle"}</script>', False),
        ('<script type="application/ld+json">{"@type":"Product"}</script>', False),
        ("<article><p>Text", False),
    ],
)
def test_a_page_says_that_it_is_an_article(html: str, expected: bool) -> None:  # noqa: FBT001
    assert is_article(LexborHTMLParser(html)) is expected


@pytest.mark.parametrize(
    "furniture",
    [
        "<div class=shareBar>Tell your friends about this</div>",
        "<div id=related-posts><p>Another story that is about the river and its steps.</p></div>",
        "<p><a href=/x>Read more: The third step</a></p>",
        "<p>Advertisement</p>",
        "<p><a href=/x>THE RIVER IS DOWN AGAIN, SAYS THE KEEPER OF THE STEPS</a></p>",
        "<ul><li><a href=/1>One story</a><li><a href=/2>Two stories</a></ul>",
    ],
)
def test_what_belongs_to_the_site_is_left_out(furniture: str) -> None:
    html = f"<div><div>{PROSE * 3}{furniture}{PROSE}</div></div>"

    assert article(html) == article(f"<div><div>{PROSE * 4}</div></div>")


@pytest.mark.parametrize(
    "content",
    [
        "<div class=code-toolbar><pre>share()</pre></div>",
        "<div class='social-quote'><blockquote>I was there.</blockquote></div>",
        "<div class=xAd9q>A class that a machine has named.</div>",
        "<p>See <a href=/x>the report</a> for the figures of the year.</p>",
        "<ul><li>a <a href=/x>spade</a> and a bucket</ul>",
    ],
)
def test_content_is_kept_whatever_its_name(content: str) -> None:
    html = f"<div>{PROSE * 3}{content}{PROSE}</div>"

    plain = article(f"<div>{PROSE * 4}</div>")
    assert len(article(html)) > len(plain)


def test_comments_longer_than_the_article_are_left_out() -> None:
    html = f"<div><div>{PROSE * 3}</div><div id=comments>{PROSE * 5}</div></div>"

    assert article(html).count("river") == 3


def test_a_manual_keeps_what_an_article_would_lose() -> None:
    html = "<main><p>See also</p><ul class=tags><li><a href=/a>one</a></ul><p>Text.</p></main>"
    page = clean(html, url="https://site.example.test/a")

    assert isinstance(page, CleanedPage)
    assert page.markdown == "See also\n\n- one\n\nText."
