"""What a click opens is content; what nothing opens is left out."""

import pytest

from omni_pipeline.domain.text.cleaning import CleanedPage, clean

PROSE = "<p>The pump moves water from the lower tank to the upper tank, and then it stops.</p>"


def read(html: str) -> str:
    page = clean(html, url="https://site.example.test/")
    assert isinstance(page, CleanedPage), page
    return page.markdown


@pytest.mark.parametrize(
    "html",
    [
        "<h3><button aria-controls=a>Is it loud?</button></h3><div id=a hidden>No, quiet.</div>",
        (
            "<div role=button aria-controls=a>Is it loud?</div>"
            "<div id=a style='display:none'>No, quiet.</div>"
        ),
        (
            "<dl><dt><button aria-expanded=false>Is it loud?</button></dt>"
            "<dd style='display:none'>No, quiet.</dd></dl>"
        ),
        "<div><button aria-expanded=false>Is it loud?</button><div hidden>No, quiet.</div></div>",
        (
            "<div role=tablist><a role=tab>Is it loud?</a></div>"
            "<div role=tabpanel aria-hidden=true>No, quiet.</div>"
        ),
        "<a data-bs-target='#a'>Is it loud?</a><div id=a aria-hidden=true>No, quiet.</div>",
        (
            "<div><h3>Is it loud?</h3><div style='display:none'>No, quiet.</div>"
            "<h3>Is it blue?</h3><div style='display:none'>It is red.</div></div>"
        ),
    ],
)
def test_what_a_control_opens_is_content(html: str) -> None:
    markdown = read(f"<main>{PROSE}{html}</main>")

    assert "Is it loud?" in markdown
    assert "No, quiet." in markdown


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "clip:rect(0,0,0,0);position:absolute",
        "clip-path: inset(50%)",
        "transform: scale(0)",
        "color: transparent",
        "color: rgba(0, 0, 0, 0)",
        "opacity:0",
        "position:absolute; left:-9999px",
    ],
)
def test_what_nothing_opens_is_left_out(style: str) -> None:
    assert "unseen" not in read(f"<main>{PROSE * 3}<p style='{style}'>unseen</p></main>")


def test_a_class_that_the_page_itself_hides_is_left_out() -> None:
    style = (
        "<style>.x1 { display: none } .tab { display: none } .tab.open { display: block }</style>"
    )
    html = f"{style}<main>{PROSE}<p class=x1>unseen</p><p class=tab>Second tab</p></main>"

    assert "unseen" not in read(html)
    assert "Second tab" in read(html)


def test_a_page_that_fades_in_is_read() -> None:
    assert "pump" in read(f"<main><div style='opacity:0'>{PROSE}</div></main>")


def test_a_menu_that_a_button_opens_is_no_content() -> None:
    menu = "<button aria-controls=m>Menu</button><div id=m hidden><a href=/a>Shop</a></div>"

    assert "Shop" not in read(f"<main>{menu}{PROSE}</main>")


def test_a_copy_for_browsers_without_scripts_counts_where_nothing_else_is_shown() -> None:
    copy = f"<noscript><div>{PROSE * 4}</div></noscript>"

    assert "pump" in read(f"<div id=app></div>{copy}")
    assert read(f"<main><h1>Tanks</h1>{PROSE * 4}</main>{copy}").count("pump") == 4


def test_streamed_parts_stand_where_their_placeholder_is() -> None:
    html = (
        f"<main><!--$?--><template id='B:0'></template><p>Loading</p><!--/$--><p>End.</p></main>"
        f"<div hidden id='S:0'>{PROSE}</div>"
    )

    assert "Loading" not in read(html)
    assert read(html).index("pump") < read(html).index("End.")


def test_a_declarative_shadow_root_is_text_of_its_host() -> None:
    html = f"<main>{PROSE}<x-card><template shadowrootmode=open><p>Inside.</p></template></x-card>"

    assert "Inside." in read(html)
