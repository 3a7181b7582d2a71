"""Parses HTML that may have been made to stall a parser, and reads its text roughly.

What is worth indexing in a page is found with more care elsewhere.
"""

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.html.parse_cost import find_excess
from omni_pipeline.errors import PermanentError

# The worst page as short as this costs the parser less than a second; most pages are not longer.
_HARMLESS_CHARACTERS = 32 * 1024
# Parsed, HTML takes some 30 bytes a character when it is nothing but tags (S-50).
_MAX_HTML_CHARACTERS = 4 * 1024 * 1024

# Menus, dialogs and what is not shown. Banners about cookies too, but not what is called after one
# because the banner lies over it.
_FURNITURE = ",".join(
    (
        *(
            "script",
            "style",
            "noscript",
            "template",
            "svg",
            "iframe",
            "select",
            "textarea",
            "button",
        ),
        *("nav", "footer", "aside", "dialog", "[role=navigation]", "[role=contentinfo]"),
        *("[role=dialog]", "[role=alertdialog]", "[hidden]", "[aria-hidden=true]"),
        *(
            f"[{attribute}*={word} i]:not(html,body,:has(h1,main,article))"
            for attribute in ("id", "class")
            for word in ("cookie", "consent", "gdpr", "onetrust")
        ),
    )
)


def parse_html(html: str) -> LexborHTMLParser:
    """Parse the first 4 million characters of a page.

    Raises:
        PermanentError: ``permanent.too_deep`` or ``permanent.too_complex``: no parser should be
            given this page.
    """
    html = html[:_MAX_HTML_CHARACTERS]
    if len(html) > _HARMLESS_CHARACTERS and (excess := find_excess(html)):
        raise PermanentError(excess.reason, kind=excess.kind)
    return LexborHTMLParser(html)


def content_text(tree: LexborHTMLParser) -> str:
    """The text of a page without its furniture, on one line. Prunes the tree."""
    if tree.body is None:
        return ""
    for node in tree.body.css(_FURNITURE):
        node.decompose()
    return one_line(tree.body)


def one_line(node: LexborNode) -> str:
    """The text of a node on one line, a space between its elements."""
    return " ".join(node.text(separator=" ").split())
