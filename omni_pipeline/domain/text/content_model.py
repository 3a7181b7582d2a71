"""Tells content from its frame by a table of numbers: boosted trees over the numbers of blocks.

The table is made by ``benchmarks/train_content_model.py`` from pages whose content is known. Its
sums are of whole numbers, so that every machine gives the same answer.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from omni_pipeline.domain.text.block_features import Declared, Numbers, describe
from omni_pipeline.domain.text.blocks import Block

# Leaves are in thousandths of a log-odds.
LEAF_SCALE = 1000
_TABLE = "content_model.json"
# Of the best expected F-F1, half is the threshold that gives it (Lipton and others, 2014). Above
# this the expectation says that everything is content, and what is unlikely to be is still left
# out.
_HIGHEST_THRESHOLD = 0.6


@dataclass(frozen=True, kw_only=True)
class _Trees:
    """Complete binary trees, one in a row: what to ask at each fork, and the leaves."""

    depth: int
    feature: NDArray[np.int64]
    threshold: Numbers
    leaf: NDArray[np.int64]


def find_likely_content(blocks: Sequence[Block], declared: Declared) -> list[bool]:
    """Say of each block whether it belongs to what a reader came for."""
    numbers = describe(blocks, declared)
    likely = _probabilities(numbers)
    words = np.expm1(numbers[:, 0])
    return [bool(value) for value in likely > _threshold(likely, words)]


def _probabilities(numbers: Numbers) -> Numbers:
    trees = _trees()
    count = len(trees.feature)
    rows = np.arange(len(numbers))[:, None]
    each = np.arange(count)[None, :]
    at = np.zeros((len(numbers), count), dtype=np.int64)
    for _ in range(trees.depth):
        asked = numbers[rows, trees.feature[each, at]]
        at = 2 * at + 1 + (asked > trees.threshold[each, at])
    forks = trees.feature.shape[1]
    odds = trees.leaf[each, at - forks].sum(axis=1)
    return np.asarray(1.0 / (1.0 + np.exp(-odds / LEAF_SCALE)))


def _threshold(likely: Numbers, words: Numbers) -> float:
    order = np.argsort(-likely, kind="stable")
    expected = (likely * words)[order]
    best = 2 * np.cumsum(expected) / (np.cumsum(words[order]) + expected.sum() + 1e-9)
    return min(_HIGHEST_THRESHOLD, float(best.max()) / 2)


@cache
def _trees() -> _Trees:
    package = resources.files(__package__ or "")
    table = json.loads((package / _TABLE).read_text(encoding="utf-8"))
    return _Trees(
        depth=table["depth"],
        feature=np.array(table["feature"], dtype=np.int64),
        threshold=np.array(table["threshold"], dtype=np.float64),
        leaf=np.array(table["leaf"], dtype=np.int64),
    )
