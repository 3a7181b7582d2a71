"""What pages say they are about, in the three ways in which they say it."""

import pytest

from omni_pipeline.domain.html.structured_data import MAX_TYPES, declared_types


def json_ld(text: str) -> str:
    return f'<script type="application/ld+json">{text}</script>'


@pytest.mark.parametrize(
    ("html", "types"),
    [
        ("<p>Nothing.</p>", ()),
        (json_ld('{"@type": "Product"}'), ("JSON-LD Product",)),
        (
            json_ld('{"@type": ["Product", "https://schema.org/Car"]}'),
            ("JSON-LD Product", "JSON-LD Car"),
        ),
        (
            json_ld('{"@graph": [{"@type": "WebSite"}, {"@type": "WebPage"}]}'),
            ("JSON-LD WebSite", "JSON-LD WebPage"),
        ),
        (
            json_ld('{"@type": "Product", "offers": {"@type": "Offer"}}'),
            ("JSON-LD Product", "JSON-LD Offer"),
        ),
        (json_ld('{"@type": "Product",}'), ("JSON-LD Product",)),
        (json_ld('{"@type": 7}'), ()),
        (json_ld("not JSON"), ()),
        ('<div itemscope itemtype="https://schema.org/Product"></div>', ("microdata Product",)),
        ('<meta property="og:type" content="article">', ("Open Graph article",)),
        ('<meta property="og:type" content="product.item">', ("Open Graph product.item",)),
        ('<meta property="og:title" content="article">', ()),
    ],
)
def test_types_are_named_with_their_vocabulary(html: str, types: tuple[str, ...]) -> None:
    assert declared_types(html) == types


def test_a_type_is_named_once_and_there_is_an_end_of_them() -> None:
    many = "".join(f'<i itemtype="https://schema.org/T{n} T{n}"></i>' for n in range(99))
    types = declared_types(many)
    assert len(types) == len(set(types)) == MAX_TYPES


@pytest.mark.parametrize("piece", ["<div>", '<script type="application/ld+json">', '{"@type":['])
def test_a_hostile_page_costs_little_and_declares_nothing(piece: str) -> None:
    """S-50, S-52"""
    assert declared_types(piece * 300_000) == ()
