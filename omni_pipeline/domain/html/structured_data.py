"""Which kinds of things a page says it is about: JSON-LD, microdata, Open Graph."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser

from omni_pipeline.domain.html.json_ld import read_blocks, walk
from omni_pipeline.domain.html.parsing import parse_html
from omni_pipeline.errors import PermanentError

MAX_TYPES = 20

_JSON_LD = 'script[type="application/ld+json" i]'
# "Product", "https://schema.org/Product" and "schema:Product" are one type.
_NAME = re.compile(r"(?:.*[/:#])?([A-Za-z][\w.-]{0,60})", re.DOTALL)


def declared_types(html: str) -> tuple[str, ...]:
    """The types, each once, as ``JSON-LD Product``, ``microdata Product``, ``Open Graph article``.

    A page that no parser should be given declares nothing.
    """
    try:
        tree = parse_html(html)
    except PermanentError:
        return ()
    found = dict.fromkeys((*_json_ld(tree), *_microdata(tree), *_open_graph(tree)))
    return tuple(found)[:MAX_TYPES]


def _json_ld(tree: LexborHTMLParser) -> Iterator[str]:
    for block in read_blocks(node.text() for node in tree.css(_JSON_LD)):
        for item in walk(block):
            declared = item.get("@type")
            for value in declared if isinstance(declared, list) else [declared]:
                yield from _named("JSON-LD", value)


def _microdata(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css("[itemtype]"):
        for value in (node.attributes.get("itemtype") or "").split():
            yield from _named("microdata", value)


def _open_graph(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css('meta[property="og:type" i]'):
        yield from _named("Open Graph", (node.attributes.get("content") or "").strip())


def _named(vocabulary: str, value: object) -> Iterator[str]:
    if isinstance(value, str) and (name := _NAME.fullmatch(value)):
        yield f"{vocabulary} {name[1]}"
