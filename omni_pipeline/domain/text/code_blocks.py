"""Rebuilds blocks of code as plain text in ``pre``, whichever highlighter drew them.

Highlighters number lines in columns, lists and spans, and draw each line as a row, a paragraph or
a block. What is copied from an index has to run: no numbers, one line for each line.
"""

import re
from collections.abc import Iterable

from selectolax.lexbor import LexborHTMLParser, LexborNode

_NUMBERS = re.compile(
    r"(?:^|[\s_-])(?:ln|lnt|lnlinks|linenos?|linenodiv|line-?numbers?|linenumber|gutter|blob-num"
    r"|rouge-gutter|hljs-ln-numbers|code-line-number)(?:$|[\s_-])",
    re.IGNORECASE,
)
_ONLY_NUMBERS = re.compile(r"[\s\d.:|]*")
_CODE_CELL = re.compile(
    r"(?:^|[\s_-])(?:code|blob-code|js-file-line|hljs-ln-(?:code|line)|rouge-code|crayon-code)(?:$|[\s_-])"
)
_NO_CODE = "pre:has(pre,h1,h2,table)"
_FRAGMENT = "div.fragment:not(:has(pre)),div.code-block:not(:has(pre,code,p))"
_LINES = frozenset(("div", "p", "li", "tr", "ol", "ul", "table", "tbody"))
_DRAWN_AS_LINE = re.compile(r"display\s*:\s*(?:block|flex|grid|table-row)", re.IGNORECASE)
_LINE = re.compile(
    r"(?:^|\s)(?:line|code-line|view-line|token-line|ec-line|CodeMirror-line)(?:$|\s)"
)

_LANGUAGE = re.compile(
    r"(?:^|\s)(?:lang(?:uage)?[-:]|highlight-source-|highlight-|brush:\s?|src-|code-)([A-Za-z][\w+#.-]{0,20})"
)
_NO_LANGUAGE = frozenset(("default", "none", "toolbar", "block", "wrapper", "container"))
_LEVELS = 3

_COPY = re.compile(
    r"(?:copy(?: code| to clipboard| snippet)?|copied!?|kopieren|code kopieren|copier(?: le code)?"
    r"|copiar(?: código)?|copia|kopiera|kopiuj|скопировать|копировать|复制(?:代码)?|コピー|복사)",
    re.IGNORECASE,
)
_MAYBE_COPY = "a,button,[role=button],span,div,clipboard-copy"
_MAX_COPY_LENGTH = 20


def rebuild_code(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Make every block of code a ``pre`` with a ``code`` of plain text, in place."""
    _open_code_tables(tree, body)
    for fragment in body.css(_FRAGMENT):
        _replace(tree, fragment, _text_of_lines(fragment), _language(fragment))
    for pre in body.css("pre"):
        if pre.parent is None or pre.css_matches(_NO_CODE):
            continue  # never closed, or a page of its own
        _drop_copy_buttons(pre)
        if (text := _text_of_lines(pre)).strip():
            _replace(tree, pre, text, _language(pre))


def _open_code_tables(tree: LexborHTMLParser, body: LexborNode) -> None:
    for table in body.css("table"):
        if table.parent is None or table.css_matches(":has(table)"):
            continue
        rows = table.css("tr")
        if rows and _is_code_table(table, rows):
            host = table
            while host.parent is not None and host.parent.tag in {"code", "pre"}:
                host = host.parent
            language = _language(table)
            lines = (_row_text(row) for row in rows)
            _replace(tree, host, "\n".join(lines), language)


def _is_code_table(table: LexborNode, rows: list[LexborNode]) -> bool:
    if table.css_matches("pre table,code table"):
        return True
    cells = rows[0].css("td")
    if not any(_CODE_CELL.search(cell.attributes.get("class") or "") for cell in cells):
        return False
    return not table.css_matches(":has(th,h1,h2,h3)")


def _row_text(row: LexborNode) -> str:
    return "".join(
        _text_of_lines(cell) for cell in row.css("td") if not _numbers_lines(cell)
    ).rstrip("\n")


def _numbers_lines(node: LexborNode) -> bool:
    attributes = node.attributes
    if "data-line-number" in attributes and not (node.text() or "").strip():
        return True
    text = node.text() or ""
    if _ONLY_NUMBERS.fullmatch(text) is None:
        return False
    if _NUMBERS.search(attributes.get("class") or "") is not None:
        return True
    return node.tag == "td" and bool(text.strip()) and node.next is not None


def _text_of_lines(node: LexborNode) -> str:
    pieces: list[str] = []
    is_joined = "\n" not in (node.text() or "").strip()
    _collect(node, pieces, is_joined=is_joined)
    return "".join(pieces).strip("\n")


def _collect(node: LexborNode, pieces: list[str], *, is_joined: bool) -> None:
    for child in node.iter(include_text=True):
        if child.is_text_node:
            pieces.append(child.text_content or "")
            continue
        if child.tag == "br":
            pieces.append("\n")
        if not child.is_element_node or child.tag in {"button", "br", "style", "script"}:
            continue
        if child.attributes and _numbers_lines(child):
            continue
        is_line = _is_line(child, is_joined=is_joined)
        if is_line and pieces and not pieces[-1].endswith("\n"):
            pieces.append("\n")
        _collect(child, pieces, is_joined=is_joined)
        if is_line and pieces and not pieces[-1].endswith("\n"):
            pieces.append("\n")


def _is_line(node: LexborNode, *, is_joined: bool) -> bool:
    if node.tag in _LINES:
        return True
    attributes = node.attributes
    if node.tag == "code" and node.parent is not None and node.parent.tag == "pre":
        return is_joined  # some generators draw each line as a ``code``
    if not attributes:
        return False
    if _DRAWN_AS_LINE.search(attributes.get("style") or ""):
        return True
    return is_joined and _LINE.search(attributes.get("class") or "") is not None


def _language(node: LexborNode) -> str:
    code = node.css_first("code")
    for place in (code, *_upwards(node)):
        if place is None:
            continue
        attributes = place.attributes
        said = attributes.get("data-lang") or attributes.get("data-language") or ""
        found = _LANGUAGE.search(attributes.get("class") or "")
        language = said or (found[1] if found else "")
        if language and language.lower() not in _NO_LANGUAGE and language.isascii():
            return language.split()[0]
    return ""


def _upwards(node: LexborNode) -> Iterable[LexborNode]:
    place: LexborNode | None = node
    for _ in range(_LEVELS):
        if place is None or place.tag in {"body", "main", "article"}:
            return
        yield place
        place = place.parent


def _replace(tree: LexborHTMLParser, node: LexborNode, text: str, language: str) -> None:
    pre = tree.create_node("pre")
    code = tree.create_node("code")
    if language:
        code.attrs["class"] = f"language-{language}"
    code.insert_child(text)
    pre.insert_child(code)
    node.replace_with(pre)


def _drop_copy_buttons(pre: LexborNode) -> None:
    """Drop what copies the code: beside it, or in a bar beside it."""
    around = pre.parent
    if around is None or around.tag in {"body", "main", "article"}:
        return
    for node in around.css(_MAYBE_COPY)[:50]:
        text = (node.text() or "").strip()
        if 0 < len(text) <= _MAX_COPY_LENGTH and _COPY.fullmatch(text):
            node.decompose()
