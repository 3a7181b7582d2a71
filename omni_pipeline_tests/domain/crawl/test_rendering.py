"""When a page needs a browser, and when it does not (R-A4, F-D35, S-49)."""

import time

import pytest

from omni_pipeline.domain.crawl.rendering import gains_by_rendering, script_evidence

SCRIPT = '<script src="/static/main.3f2a.js"></script>'
SENTENCE = "The quick brown fox jumps over the lazy dog, and then it sleeps until noon. "
MENU = "".join(f'<li><a href="/{number}">Part {number}</a></li>' for number in range(150))


@pytest.mark.parametrize(
    "html",
    [
        f'<div id="root"></div>{SCRIPT}',
        f'<body><div id=app><div class="spinner">Loading\u2026</div></div>{SCRIPT}',
        f"<app-root>Please wait</app-root>{SCRIPT}",
        f'<div id="__next"></div><script type="application/json">{{}}</script>{SCRIPT}',
        f'<html ng-app="shop"><header>Shop</header><div ng-view></div>{SCRIPT}',
        f"<title>My app</title><style>p{{}}</style>{SCRIPT}",
        f"<p>Loading, please wait</p>{SCRIPT}",
        f"<div>One moment</div><script>{'x();' * 2000}</script>",
        '<link rel=modulepreload href="/a.js"><body><script type="module" src="/a.js"></script>',
        # a server that writes menu and footer around the element that scripts fill
        f"<nav><ul>{MENU}</ul></nav><div id=app></div><footer>{SENTENCE}</footer>{SCRIPT}",
    ],
)
def test_an_empty_shell_is_suspected(html: str) -> None:
    """R-A4."""
    assert script_evidence(html)


@pytest.mark.parametrize(
    "words",
    [
        "You need to enable JavaScript to run this app.",
        "Bitte aktivieren Sie JavaScript, um diese Seite zu benutzen.",
        "Veuillez activer Javascript pour continuer.",
        "Для работы включите джаваскрипт.",
        "このページを表示するにはJavaScriptを有効にしてください",
        "请启用脚本",
        "This site works best with JS.",
    ],
)
def test_a_page_that_asks_for_javascript_in_any_language_is_suspected(words: str) -> None:
    asked = f"<noscript><p>{words}</p></noscript>"

    for html in (f"{asked}{SCRIPT}", f"<body><div></div>{asked}{SCRIPT}"):
        assert script_evidence(html) == "asks readers to switch JavaScript on, and says little else"


def test_a_noscript_that_only_counts_visitors_asks_for_nothing() -> None:
    html = f'<noscript><iframe src="https://ads.example/ns.js?id=1"></iframe></noscript>{SCRIPT}'

    assert script_evidence(html) == "has 0 characters of text, and scripts: 1"


@pytest.mark.parametrize(
    "html",
    [
        "",
        "plain text",
        "<title>Nothing</title>",
        "<div id=root></div>",
        "<div id=root></div><script type='application/ld+json'>{}</script>",
        f"<h1>It works!</h1>{SCRIPT}",
        f"<p>Call us: 0123 456.</p>{SCRIPT}",
        f"<a href='/en'>English</a>{SCRIPT}",
        f"<img src=map.png alt=Map>{SCRIPT}",
        f"<frameset><frame src=a.html></frameset>{SCRIPT}",
        f"<p>{SENTENCE * 8}</p><div id=app></div>{SCRIPT}",
        f"<ul>{MENU * 6}</ul><div id=app></div>{SCRIPT}",
        # what a server rendered is complete although scripts will take it over
        f'<div id="__next"><main><h1>Title</h1><p>{SENTENCE}</p></main></div>{SCRIPT}',
        f'<div id="__nuxt" data-v-app><p>{SENTENCE * 9}</p></div>{SCRIPT}',
        f'<div id="root" data-reactroot><h1>Short</h1></div>{SCRIPT}',
        f"<noscript>Please enable JavaScript</noscript><p>{SENTENCE * 4}</p>{SCRIPT}",
        "<div>" * 100_000 + SCRIPT,
    ],
)
def test_a_page_that_can_be_read_as_it_is_costs_no_browser(html: str) -> None:
    """R-A4."""
    assert script_evidence(html) is None


def test_the_search_page_of_a_documentation_is_no_application() -> None:
    """Sphinx puts one on every site; its search needs scripts, the page does not."""
    html = f"""<head><title>Search \u2014 Manual</title>{SCRIPT * 6}</head><body>
        <div role="navigation"><h3>Navigation</h3><a href="genindex.html">index</a></div>
        <div role="main"><h1>Search</h1><noscript><p>Please activate JavaScript to enable the
        search functionality.</p></noscript><p>Searching for multiple words only shows matches
        that contain all words.</p><form><input name="q"></form>
        <div id="search-results"></div></div>"""

    assert script_evidence(html) is None


def test_scripts_comments_attributes_and_hidden_text_are_not_text() -> None:
    unseen = f"""<!-- {SENTENCE * 50} --><script>{SENTENCE * 50}</script>
        <style>{SENTENCE * 50}</style><template><p>{SENTENCE * 50}</template>
        <SCRIPT type="application/json">{SENTENCE * 50}</SCRIPT><title>{SENTENCE * 50}</title>
        <div id="app" data-page='<p title=">">{SENTENCE * 50}</p>'></div>{SCRIPT}"""

    assert script_evidence(unseen)


@pytest.mark.parametrize(
    "unit",
    [
        *("<a>", '<a "', "<a '\"", "<svg </svg ", "<svg></svg>", '<!--"-->"', "<!--", "<", "< "),
        *(
            "<script>",
            "<script></script>",
            "<div>",
            " ",
            "<a>x ",
            "<div id=root></div>",
            "<a b=\"'",
        ),
    ],
)
def test_looking_is_cheap_whatever_the_page(unit: str) -> None:
    """F-D35, S-49."""
    html = unit * (1_000_000 // len(unit))
    started = time.process_time()

    script_evidence(html)

    assert time.process_time() - started < 2


def test_looking_at_an_ordinary_page_takes_less_than_a_millisecond() -> None:
    paragraph = f"<p>{SENTENCE} <a href='/x'>link</a> <code>code</code></p>"
    html = f"<head><style>{'a{b:c}' * 2000}</style>{SCRIPT}</head>{MENU}" + paragraph * 400
    assert len(html) > 60_000
    started = time.process_time()

    for _ in range(100):
        script_evidence(html)

    assert time.process_time() - started < 0.2


def _page(text: str) -> str:
    return f"<body><nav>{MENU}</nav><main><p>{text}</p></main>"


def test_content_that_only_a_browser_sees_is_a_gain() -> None:
    """R-A4."""
    assert gains_by_rendering("<div id=root></div>", _page(SENTENCE * 3))
    assert gains_by_rendering(_page(SENTENCE * 10), _page(SENTENCE * 14))


@pytest.mark.parametrize(
    ("sent", "rendered"),
    [
        (_page(SENTENCE * 10), _page(SENTENCE * 10)),
        (_page(SENTENCE * 10), _page(SENTENCE * 12)),
        (_page("Short."), _page("Short. Now 3 visitors.")),
        (_page(SENTENCE * 10), _page("")),
        ("", ""),
        ("<div id=root></div>", "<div>" * 100_000 + SENTENCE * 9),
    ],
    ids=["same", "a little", "a note", "less", "nothing", "too deep to use"],
)
def test_what_a_browser_hardly_adds_to_is_read_as_it_is(sent: str, rendered: str) -> None:
    assert not gains_by_rendering(sent, rendered)


def test_a_cookie_banner_or_a_menu_that_scripts_add_is_no_gain() -> None:
    banner = f'<div class="cookie-banner"><p>{SENTENCE * 20}</p></div>'
    dialog = f"<div role=dialog>{SENTENCE * 20}</div>"
    sent = "<body><p>Short page.</p></body>"

    assert not gains_by_rendering(sent, sent + banner + dialog + f"<nav>{MENU}</nav>")


def test_a_page_below_a_cookie_banner_counts_although_it_is_called_after_it() -> None:
    rendered = f'<body class="cookie-open"><div id="cookie-app"><h1>A</h1>{SENTENCE * 5}</div>'

    assert gains_by_rendering("<div id=root></div>", rendered)
