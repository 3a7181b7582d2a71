"""Make the table of numbers by which content is told from its frame (``domain/content_model``).

    python -m benchmarks.train_content_model OUTPUT.json FOLDER [FOLDER ...]

Each FOLDER holds `ground-truth.json` and `html/KEY.html.gz`; the text that a reader came for is
`main_content` or `articleBody`. Of each kind of page every second one, in the order of the keys, is
learned from; the others are for measuring (``article_extraction``). Needs lightgbm, which
the project itself does not.
"""

import argparse
import importlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from selectolax.lexbor import LexborHTMLParser

from benchmarks.article_extraction import Page, read_pages
from omni_pipeline.domain.html.parse_cost import find_excess
from omni_pipeline.domain.html.visibility import open_shadow_roots
from omni_pipeline.domain.text.block_features import describe
from omni_pipeline.domain.text.blocks import Block
from omni_pipeline.domain.text.content_model import LEAF_SCALE
from omni_pipeline.domain.text.pruning import read_page_blocks

WORD = re.compile(r"\w+")
SHINGLE = 4
DEPTH = 5
ROUNDS = 160
PARAMETERS = {
    "objective": "cross_entropy",
    "learning_rate": 0.08,
    "num_leaves": 20,
    "max_depth": DEPTH,
    "max_bin": 63,
    "min_data_in_leaf": 150,
    "min_sum_hessian_in_leaf": 5,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5,
    "seed": 1,
    "verbose": -1,
}


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def label(blocks: list[Block], truth: str) -> np.ndarray:
    """The share of each block's words that stand in the truth, in a row of four there."""
    wanted = words(truth)
    shingles = {tuple(wanted[i : i + SHINGLE]) for i in range(len(wanted) - SHINGLE + 1)}
    lines = {" ".join(words(line)) for line in truth.splitlines()}
    owners = [(index, word) for index, block in enumerate(blocks) for word in words(block.text)]
    covered = np.zeros(len(owners))
    for i in range(len(owners) - SHINGLE + 1):
        if tuple(word for _, word in owners[i : i + SHINGLE]) in shingles:
            covered[i : i + SHINGLE] = 1
    hits, counts = np.zeros(len(blocks)), np.zeros(len(blocks))
    for (index, _), hit in zip(owners, covered, strict=True):
        hits[index] += hit
        counts[index] += 1
    shares = hits / np.maximum(1, counts)
    for index, block in enumerate(blocks):
        is_short = shares[index] < 0.5 and 0 < counts[index] < SHINGLE + 2
        if is_short and " ".join(words(block.text)) in lines:
            shares[index] = 1.0
    return shares


def samples(pages: list[Page]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, labels, weights = [], [], []
    for page in pages:
        if find_excess(page.html) is not None:
            continue
        found = read_page_blocks(LexborHTMLParser(open_shadow_roots(page.html)))
        if found is None or not found.blocks:
            continue
        shares = label(found.blocks, page.truth)
        lengths = np.array([float(len(words(block.text))) for block in found.blocks])
        rows.append(describe(found.blocks, found.declared))
        labels.append(shares)
        # A page counts once, however long; a block by its words.
        weights.append(lengths**0.8 / max(30.0, float(lengths @ shares)) ** 0.8)
    weight = np.concatenate(weights)
    return np.concatenate(rows), np.concatenate(labels), weight / weight.mean()


def table_of(model: Any) -> dict[str, Any]:
    """The trees as complete ones: a branch that ends early repeats its leaf."""
    features, thresholds, leaves = [], [], []
    for tree in model.dump_model()["tree_info"]:
        feature, threshold = [0] * (2**DEPTH - 1), [0.0] * (2**DEPTH - 1)
        leaf = [0] * 2**DEPTH

        def fill(
            node: dict[str, Any],
            at: int,
            *,
            feature: list[int] = feature,
            threshold: list[float] = threshold,
            leaf: list[int] = leaf,
        ) -> None:
            if at >= len(feature):
                leaf[at - len(feature)] = round(node["leaf_value"] * LEAF_SCALE)
                return
            if "split_feature" in node:
                feature[at] = node["split_feature"]
                threshold[at] = float(f"{node['threshold']:.6g}")
            fill(node.get("left_child", node), 2 * at + 1)
            fill(node.get("right_child", node), 2 * at + 2)

        fill(tree["tree_structure"], 0)
        features.append(feature)
        thresholds.append(threshold)
        leaves.append(leaf)
    return {"depth": DEPTH, "feature": features, "threshold": thresholds, "leaf": leaves}


def write(table: dict[str, Any], output: Path) -> None:
    """One tree on a line, so that a change can be read."""
    lines = [f'"depth": {table["depth"]}']
    for name in ("feature", "threshold", "leaf"):
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in table[name])
        lines.append(f'"{name}": [\n{rows}]')
    output.write_text("{" + ",\n".join(lines) + "}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args()
    pages = [page for folder in given.folders for page in read_pages(folder, "tuned")]
    rows, labels, weights = samples(pages)
    lightgbm = importlib.import_module("lightgbm")
    data = lightgbm.Dataset(rows, label=labels, weight=weights)
    write(table_of(lightgbm.train(PARAMETERS, data, ROUNDS)), given.output)
    kinds = Counter(page.kind for page in pages)
    print(f"{given.output}: {len(rows):,} blocks of {len(pages)} pages: {dict(kinds)}")


if __name__ == "__main__":
    main()
