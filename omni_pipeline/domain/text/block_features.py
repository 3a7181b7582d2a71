"""Describes the blocks of a page in numbers, for the model that tells content from its frame.

What a block is made of, where it stands, what stands around it, and what the page says of itself.
"""
# ruff: noqa: RUF001 - sentences end in several scripts

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from selectolax.lexbor import LexborHTMLParser

from omni_pipeline.domain.text.blocks import NAME_COUNT, PLACE_COUNT, Block

Numbers = NDArray[np.float64]

_WORD = re.compile(r"\w+")
_MARK = re.compile(r"[.,;:!?。、，！？؛،]")
_ENDS_SENTENCE = re.compile(r"[.!?。！？…:\"”»)]\s*\Z")
_PRICE = re.compile(r"[$€£¥₹]\s?\d|\d\s?(?:[€£¥₹]|USD|EUR|kr\b|zł)")
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b\d{1,2}:\d{2}\b")
_DIGIT = re.compile(r"\d")
_UPPER = re.compile(r"[A-Z]")

_LINKED_TYPES = (
    r"(?:News|Blog|Opinion|Report|Analysis|Review)?\w*Article|BlogPosting",
    "Product|ProductGroup|Offer",
    "ItemList|CollectionPage|OfferCatalog",
    "QAPage|DiscussionForumPosting|Question",
    "FAQPage",
    "Organization|LocalBusiness|Service|WebSite",
)
_TYPES = tuple(re.compile(rf'"@type"\s*:\s*\[?\s*"(?:{words})"') for words in _LINKED_TYPES)
_ARTICLE_BODY = re.compile(r'"articleBody"\s*:\s*"((?:[^"\\]|\\.){100,200000})"')
_MAX_LINKED_LENGTH = 200_000

_LEVELS = 5
_NEIGHBOURS = (-3, -2, -1, 1, 2, 3)
_FURTHEST = 40
_NO_HEADING = 50.0

# Bits of Block.places and Block.names whose share of the page tells what kind of page it is.
_TELLING_PLACES = (0, 1, 3, 8)
_TELLING_NAMES = (1, 2, 11, 13, 14)
_PARAGRAPH, _HEADING, _CODE = 1, 3, 9


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What the page says of itself, read before its scripts are gone. Sets are of words."""

    types: tuple[float, ...]
    article_body: frozenset[str]
    description: frozenset[str]
    title: frozenset[str]


def read_declared(tree: LexborHTMLParser) -> Declared:
    """Read the declared types and texts of an unpruned page."""
    scripts = tree.css("script[type='application/ld+json' i]")
    linked = "\n".join((node.text() or "")[:_MAX_LINKED_LENGTH] for node in scripts)
    og_type = _meta(tree, "meta[property='og:type']").lower()
    signs = (
        *(kind.search(linked) is not None for kind in _TYPES),
        "article" in og_type,
        "product" in og_type,
        tree.css_first("meta[property='article:published_time']") is not None,
        tree.css_first("[itemtype*='schema.org/Product']") is not None,
        tree.css_first("[itemprop~=articleBody]") is not None,
    )
    body = _ARTICLE_BODY.search(linked)
    said = (_meta(tree, "meta[property='og:description']"), _meta(tree, "meta[name=description i]"))
    title = tree.css_first("head title")
    return Declared(
        types=tuple(map(float, signs)),
        article_body=frozenset(_words(body[1])) if body else frozenset(),
        description=frozenset(_words(" ".join(said))),
        title=frozenset(_words((title.text() or "") if title else "")),
    )


def describe(blocks: Sequence[Block], declared: Declared) -> Numbers:
    """One row of numbers for each block, in its order."""
    words = [_words(block.text) for block in blocks]
    own = _own(blocks, words, declared)
    counts = np.array([float(len(found)) for found in words])
    marks = own[:, 5]
    linked = own[:, 3]
    page = _page(blocks, own, counts, declared)
    return np.hstack(
        [
            own,
            _bits([block.places for block in blocks], PLACE_COUNT),
            _bits([block.near_names for block in blocks], NAME_COUNT),
            _bits([block.all_names for block in blocks], NAME_COUNT),
            _positions(blocks, counts),
            _containers(blocks, counts, marks, linked, page),
            _neighbours(own),
            np.tile(page, (len(blocks), 1)),
        ]
    )


def _meta(tree: LexborHTMLParser, selector: str) -> str:
    node = tree.css_first(selector)
    return (node.attributes.get("content") or "") if node is not None else ""


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _own(blocks: Sequence[Block], words: list[list[str]], declared: Declared) -> Numbers:
    return np.array(
        [_one(block, found, declared) for block, found in zip(blocks, words, strict=True)]
    )


def _one(block: Block, words: list[str], declared: Declared) -> tuple[float, ...]:
    text = block.text
    length, count = len(text), max(1, len(words))
    marks = len(_MARK.findall(text))
    return (
        float(np.log1p(len(words))),
        float(np.log1p(length)),
        length / count,
        block.linked / length,
        marks / count,
        marks,
        _ENDS_SENTENCE.search(text, max(0, length - 3)) is not None,
        len(_DIGIT.findall(text)) / length,
        len(_UPPER.findall(text)) / length,
        block.emphasised / length,
        block.tag,
        block.depth,
        _PRICE.search(text) is not None,
        _DATE.search(text) is not None,
        "©" in text,
        len(set(words)) / count,
        _share(words, declared.article_body),
        _share(words, declared.description),
        _share(words, declared.title),
    )


def _share(words: list[str], declared: frozenset[str]) -> float:
    if not declared:
        return -1.0
    return sum(map(declared.__contains__, words)) / max(1, len(words))


def _bits(values: list[int], count: int) -> Numbers:
    wide = np.array(values, dtype=np.int64)
    return ((wide[:, None] >> np.arange(count)) & 1).astype(np.float64)


def _positions(blocks: Sequence[Block], counts: Numbers) -> Numbers:
    count = len(blocks)
    index = np.arange(count)
    first = next((i for i, block in enumerate(blocks) if block.tag == _HEADING), -1)
    offset = (
        np.clip(index - first, -_FURTHEST, _FURTHEST) if first >= 0 else index * 0 + _NO_HEADING
    )
    texts = Counter(block.text for block in blocks)
    _, twin, twins = np.unique(
        np.array([block.signature for block in blocks]), return_inverse=True, return_counts=True
    )
    twin_words = np.bincount(twin, weights=counts)
    return np.column_stack(
        [
            index / count,
            (np.cumsum(counts) - counts) / max(1.0, counts.sum()),
            offset,
            np.minimum(400, count - index),
            [min(5, texts[block.text]) for block in blocks],
            np.log1p(twins[twin]),
            np.log1p(twin_words[twin]),
        ]
    )


def _containers(
    blocks: Sequence[Block], counts: Numbers, marks: Numbers, linked: Numbers, page: Numbers
) -> Numbers:
    """Of what a block stands in, on five levels: words, share of the page, links, sentences."""
    numbers: dict[int, int] = {}
    ids = np.full((len(blocks), _LEVELS + 1), -1)
    for row, block in enumerate(blocks):
        for level, container in enumerate(block.containers):
            ids[row, level] = numbers.setdefault(container, len(numbers))
    rows, levels = np.nonzero(ids >= 0)
    flat, size = ids[rows, levels], len(numbers)
    words, links, sentences = (
        np.bincount(flat, weights=values[rows], minlength=size)
        for values in (counts, linked * counts, marks)
    )
    inner = np.bincount(flat, minlength=size)
    total = max(1.0, counts.sum())
    some = np.maximum(1.0, words)
    of_each = np.column_stack(
        [np.log1p(words), words / total, links / some, np.log1p(inner), sentences / some]
    )
    outermost = [np.log1p(total), 1.0, page[1], np.log1p(len(blocks)), page[2]]
    levels_of: Numbers = np.vstack([of_each, outermost])[ids[:, :_LEVELS]]
    return levels_of.reshape(len(blocks), -1)


def _neighbours(own: Numbers) -> Numbers:
    telling = own[:, [0, 3, 4, 10]]
    reach = max(_NEIGHBOURS)
    edge = np.tile([0.0, 0.0, 0.0, -1.0], (reach, 1))
    padded = np.vstack([edge, telling, edge])
    count = len(own)
    return np.hstack([padded[reach + offset : reach + offset + count] for offset in _NEIGHBOURS])


def _page(blocks: Sequence[Block], own: Numbers, counts: Numbers, declared: Declared) -> Numbers:
    linked, marks, prices = own[:, 3], own[:, 5], own[:, 12]
    words = max(1.0, counts.sum())
    lengths = np.array([float(len(block.text)) for block in blocks])
    tags = np.array([block.tag for block in blocks])
    places = _bits([block.places for block in blocks], PLACE_COUNT)
    names = _bits([block.all_names for block in blocks], NAME_COUNT)
    return np.array(
        [
            np.log1p(words),
            (linked * lengths).sum() / lengths.sum(),
            marks.sum() / words,
            counts[tags == _PARAGRAPH].sum() / words,
            np.log1p(len(blocks)),
            *(counts @ places[:, _TELLING_PLACES] / words),
            *(counts @ names[:, _TELLING_NAMES] / words),
            counts[tags == _CODE].sum() / words,
            np.log1p(prices.sum()),
            np.log1p(counts.max()),
            (tags == _HEADING).sum(),
            bool(declared.article_body),
            *declared.types,
        ]
    )
