"""Formulas, code, lists, tables, tabs and labels keep in Markdown what they mean on the page."""

import pytest

from omni_pipeline.domain.text.cleaning import CleanedPage, clean

PROSE = "<p>The pump moves water from the lower tank to the upper tank, and then it stops.</p>"
TEX = "<annotation encoding='application/x-tex'>x^2</annotation>"


def read(html: str) -> str:
    page = clean(f"<main>{PROSE}{html}</main>", url="https://site.example.test/")
    assert isinstance(page, CleanedPage), page
    return page.markdown


@pytest.mark.parametrize(
    "formula",
    [
        (
            f"<span class=katex><math><semantics><mi>x</mi>{TEX}</semantics></math>"
            "<span class=katex-html aria-hidden=true>x2</span></span>"
        ),
        (
            "<span class=mwe-math-element><span style='display:none'><math alttext='x^2'><mi>x</mi>"
            "</math></span><img alt='{\\displaystyle x^2}'></span>"
        ),
        "<span class=MathJax>x2</span><script type='math/tex'>x^2</script>",
        "<math alttext='x^2'><mi>x</mi></math>",
    ],
)
def test_a_formula_is_its_tex(formula: str) -> None:
    assert read(f"<p>Let {formula} hold.</p>").endswith("Let $x^2$ hold.")


@pytest.mark.parametrize(
    "code",
    [
        "<pre><ol><li><div>one = 1</div></li><li><div>two = 2</div></li></ol></pre>",
        "<pre><code><p>one = 1</p><p>two = 2</p></code></pre>",
        "<pre><code><span class=ln>1</span>one = 1\n<span class=ln>2</span>two = 2\n</code></pre>",
        (
            "<pre><span style='display:block'>one = 1</span>"
            "<span style='display:block'>two = 2</span></pre>"
        ),
        (
            "<table><tr><td class=blob-num>1</td><td class=blob-code>one = 1</td></tr>"
            "<tr><td class=blob-num>2</td><td class=blob-code>two = 2</td></tr></table>"
        ),
        "<div class=fragment><div class=line>one = 1</div><div class=line>two = 2</div></div>",
        "<div><pre>one = 1\ntwo = 2</pre><div><a>Copy code</a></div></div>",
    ],
)
def test_code_is_its_lines_and_nothing_else(code: str) -> None:
    assert "```\none = 1\ntwo = 2\n```" in read(code)
    assert "Copy" not in read(code)


@pytest.mark.parametrize(
    "code",
    [
        "<div class='language-python highlight'><pre><code>x = 1</code></pre></div>",
        "<div class='highlight highlight-source-python'><pre>x = 1</pre></div>",
        "<pre data-lang=python><code>x = 1</code></pre>",
    ],
)
def test_the_language_of_code_is_kept_wherever_it_is_said(code: str) -> None:
    assert "```python\nx = 1\n```" in read(code)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<ol><li>a<li value=5>b<li>c</ol>", "5) b\n6) c"),
        (
            "<ul><li><input type=checkbox checked> done<li><input type=checkbox> open</ul>",
            "[x] done",
        ),
        ("<div role=heading aria-level=3>Wiring</div>", "### Wiring"),
        ("<p><span>2021</span><span>December</span></p>", "2021 December"),
        ("<div><span>Author:</span><strong>Kim</strong></div>", "Author: Kim"),
        ("<p>Press <img src=k.png alt=Start> to begin.</p>", "Press Start to begin."),
        ("<p>10<sup>6</sup> litres</p>", "10^6 litres"),
        ("<p>the 1<sup>st</sup> litre</p>", "the 1st litre"),
        ("<p>水泵之前\n请关闭电源</p>", "水泵之前请关闭电源"),
        ("<p>Open <i class=material-icons>expand_more</i>it.</p>", "Open it."),
        ("<p>Hel<span>lo</span></p>", "Hello"),
    ],
)
def test_what_attributes_and_places_say_is_written(html: str, expected: str) -> None:
    assert expected in read(html)


def test_a_cell_stands_in_every_row_and_column_that_it_spans() -> None:
    html = (
        "<table><tr><th>Model<th>Low<th>High<tr><td rowspan=2>P1<td>10<td>20<tr><td>11<td>21"
        "<tr><td>P2<td colspan=2>30</table>"
    )

    assert "| P1 | 11 | 21 |\n| P2 | 30 | 30 |" in read(html)


def test_each_panel_of_tabs_begins_with_its_name() -> None:
    tabs = "<div><label for=a>Linux</label><label for=b>Windows</label></div>"
    panels = "<div><div><p>Use apt.</p></div><div><p>Use winget.</p></div></div>"

    assert "Linux\n\nUse apt.\n\nWindows\n\nUse winget." in read(f"<div>{tabs}{panels}</div>")


def test_the_heading_of_a_hero_stands_in_front_of_a_landmark_without_one() -> None:
    hero = "<header><div><h1>Pump X200</h1><p>The quietest of all.</p></div></header>"
    page = clean(f"{hero}<main>{PROSE * 4}</main>", url="https://site.example.test/")

    assert isinstance(page, CleanedPage)
    assert page.markdown.startswith("# Pump X200\n\nThe quietest of all.")
