"""Writes the formulas of a page as TeX, however its generator draws them.

KaTeX, MathJax and MediaWiki keep the source of a formula beside what they draw. What is drawn is
letters without their places: x with 2 above it and x2 are the same to a search.
"""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

_SOURCES = "script[type^='math/tex' i]"
_DRAWN = ".katex,.mwe-math-element,mjx-container,math"
_TEX = "annotation[encoding='application/x-tex' i],annotation[encoding='application/x-latex' i]"
_DISPLAYED = (
    ".katex-display *,mjx-container[display=true],math[display=block],.mwe-math-element-block"
)
_COPIES = frozenset(
    ("MathJax", "MathJax_Preview", "MathJax_Display", "MathJax_SVG", "MathJax_CHTML")
)
_STYLE = re.compile(r"^\{\s*\\(?:display|text)style\s+(.*)\}$", re.DOTALL)


def write_formulas(tree: LexborHTMLParser) -> None:
    """Replace each drawn formula whose source is known by that source, in place."""
    for script in tree.css(_SOURCES):
        kind = (script.attributes.get("type") or "").lower()
        _drop_drawn(script)
        _write(script, script.text() or "", is_displayed="mode=display" in kind)
    for drawn in tree.css(_DRAWN):
        if drawn.parent is not None and (source := _source(drawn)):
            _write(drawn, source, is_displayed=drawn.css_matches(_DISPLAYED))


def _source(drawn: LexborNode) -> str:
    annotation = drawn.css_first(_TEX)
    if annotation is not None:
        return annotation.text() or ""
    math = drawn if drawn.tag == "math" else drawn.css_first("math")
    said = (math.attributes.get("alttext") or "") if math is not None else ""
    picture = drawn.css_first("img[alt]")
    return said or ((picture.attributes.get("alt") or "") if picture is not None else "")


def _write(node: LexborNode, source: str, *, is_displayed: bool) -> None:
    source = " ".join(source.split())
    inner = _STYLE.match(source)
    source = (inner[1] if inner else source).strip()
    mark = "$$" if is_displayed else "$"
    node.replace_with(f"{mark}{source}{mark}" if source else " ")


def _drop_drawn(script: LexborNode) -> None:
    before: LexborNode | None = script.prev
    while before is not None and before.is_element_node:
        names = set((before.attributes.get("class") or "").split())
        if not names & _COPIES:
            return
        drawn = before
        before = drawn.prev
        drawn.decompose()
