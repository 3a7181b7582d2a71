"""How much of articles is found, and how little else: F1 beside trafilatura's, from one run.

FOLDER holds `ground-truth.json` and `html/KEY.html.gz`, as the public benchmark
scrapinghub/article-extraction-benchmark does (also its `articleBody`-only form). Its metric is used
as it stands: shingles of four words, precision and recall averaged over the pages.
"""

import argparse
import gzip
import importlib
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from omni_pipeline.domain.text.cleaning import CleanedPage, clean

SHINGLE_WORDS = 4
WORD = re.compile(r"\w+")

Extract = Callable[[str, str], str]


def ours(html: str, url: str) -> str:
    page = clean(html, url=url or "https://unknown.example/")
    return page.markdown if isinstance(page, CleanedPage) else ""


def peers() -> Iterator[tuple[str, Extract]]:
    if find_spec("trafilatura") is None:
        return
    trafilatura = importlib.import_module("trafilatura")
    for name, fast in (("trafilatura", False), ("trafilatura fast", True)):

        def extract(html: str, url: str, *, fast: bool = fast) -> str:
            del url
            return trafilatura.extract(html, fast=fast, include_comments=False) or ""

        yield name, extract


def shingles(text: str) -> Counter[tuple[str, ...]]:
    words = WORD.findall(text)
    starts = range(max(1, len(words) - SHINGLE_WORDS + 1)) if words else range(0)
    return Counter(tuple(words[start : start + SHINGLE_WORDS]) for start in starts)


def compare(truth: str, found: str) -> tuple[float | None, float | None]:
    """Precision, None where nothing was found; recall, None where there was nothing to find."""
    wanted, got = shingles(truth), shingles(found)
    hits = (wanted & got).total()
    precision = hits / got.total() if got else None
    return precision, hits / wanted.total() if wanted else None


def measure(name: str, extract: Extract, pages: list[tuple[str, str, str]]) -> None:
    extract(pages[0][0], pages[0][1])  # imports and compiled patterns are not counted
    start = time.process_time()
    found = [extract(html, url) for html, url, _ in pages]
    seconds = time.process_time() - start
    scores = [compare(truth, text) for text, (_, _, truth) in zip(found, pages, strict=True)]
    precision = statistics.mean(score for score, _ in scores if score is not None)
    recall = statistics.mean(score for _, score in scores if score is not None)
    f1 = 2 * precision * recall / (precision + recall)
    row = f"{name:<18}{f1:>8.3f}{precision:>11.3f}{recall:>8.3f}{len(pages) / seconds:>19.1f}"
    print(row)


def read_pages(folder: Path) -> list[tuple[str, str, str]]:
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    return [
        (
            gzip.decompress((folder / "html" / f"{key}.html.gz").read_bytes()).decode(
                "utf-8", "replace"
            ),
            entry.get("url") or "",
            entry.get("articleBody") or "",
        )
        for key, entry in truth.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    pages = read_pages(parser.parse_args().folder)
    print(f"{len(pages)} pages")
    print(f"{'':<18}{'F1':>8}{'precision':>11}{'recall':>8}{'pages/CPU second':>19}")
    for name, extract in (("omni_pipeline", ours), *peers()):
        measure(name, extract, pages)


if __name__ == "__main__":
    main()
