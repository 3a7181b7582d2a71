"""How much of pages is found, and how little else, beside trafilatura, from one run.

    python -m benchmarks.article_extraction FOLDER

FOLDER holds `ground-truth.json` and `html/KEY.html.gz`, as scrapinghub/article-extraction-benchmark
does (`articleBody`), or the Web Content eXtraction Benchmark (`main_content`, `page_type`, snippets
`with` and `without`). Of each kind every second page, in the order of the keys, is what the model
of content was learned from; the others were not looked at: each half has rows of its own.

Two metrics as the sets define them: shingles of four words, precision and recall averaged over the
pages; and the F1 of words, averaged over the pages.
"""

import argparse
import gzip
import importlib
import json
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from omni_pipeline.domain.text.cleaning import CleanedPage, clean

SHINGLE_WORDS = 4
WORD = re.compile(r"\w+")
HALVES = {"tuned": 0, "unseen": 1}

Extract = Callable[[str, str], str]


@dataclass(frozen=True, kw_only=True)
class Page:
    html: str
    url: str
    kind: str
    truth: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


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
            return trafilatura.extract(html, fast=fast) or ""

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


def word_f1(truth: str, found: str) -> float:
    wanted, got = (Counter(WORD.findall(text.lower())) for text in (truth, found))
    hits = (wanted & got).total()
    return 2 * hits / (wanted.total() + got.total()) if hits else 0.0


def measure(name: str, extract: Extract, pages: Sequence[Page]) -> None:
    extract(pages[0].html, pages[0].url)  # imports and compiled patterns are not counted
    start = time.process_time()
    found = [extract(page.html, page.url) for page in pages]
    seconds = time.process_time() - start
    scores = [compare(page.truth, text) for page, text in zip(pages, found, strict=True)]
    precision = statistics.mean(score for score, _ in scores if score is not None)
    recall = statistics.mean(score for _, score in scores if score is not None)
    kinds = defaultdict(list)
    for page, text in zip(pages, found, strict=True):
        kinds[page.kind].append(word_f1(page.truth, text))
    words = statistics.mean(score for each in kinds.values() for score in each)
    f1 = 2 * precision * recall / (precision + recall)
    row = f"{name:<18}{f1:>9.3f}{precision:>11.3f}{recall:>8.3f}{words:>9.3f}"
    print(f"{row}{share_kept(pages, found)}{len(pages) / seconds:>9.1f}", flush=True)
    if len(kinds) > 1:
        each = (f"{kind} {statistics.mean(scores):.3f}" for kind, scores in sorted(kinds.items()))
        print(f"  {', '.join(each)}")


def share_kept(pages: Sequence[Page], found: Sequence[str]) -> str:
    columns = []
    for name in ("wanted", "unwanted"):
        pairs = zip(pages, found, strict=True)
        kept = [snippet in text for page, text in pairs for snippet in getattr(page, name)]
        columns.append(f"{sum(kept) / len(kept):>9.1%}" if kept else f"{'-':>9}")
    return "".join(columns)


def read_pages(folder: Path, half: str) -> list[Page]:
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    kinds: dict[str, list[str]] = defaultdict(list)
    for key in sorted(truth):
        kinds[truth[key].get("page_type", "article")].append(key)
    keys = [key for each in kinds.values() for key in each[HALVES[half] :: 2]]
    return [read_page(folder / "html" / f"{key}.html.gz", truth[key]) for key in keys]


def read_page(path: Path, entry: dict[str, object]) -> Page:
    return Page(
        html=gzip.decompress(path.read_bytes()).decode("utf-8", "replace"),
        url=str(entry.get("url") or ""),
        kind=str(entry.get("page_type") or "article"),
        truth=str(entry.get("main_content") or entry.get("articleBody") or ""),
        wanted=snippets(entry.get("with")),
        unwanted=snippets(entry.get("without")),
    )


def snippets(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=HALVES, help="only one of them")
    given = parser.parse_args()
    header = f"{'':<18}{'shingles':>9}{'precision':>11}{'recall':>8}{'words':>9}"
    for half in [given.half] if given.half else HALVES:
        pages = read_pages(given.folder, half)
        print(f"{half}: {len(pages)} pages")
        print(f"{header}{'wanted':>9}{'unwanted':>9}{'pages/s':>9}")
        for name, extract in (("omni_pipeline", ours), *peers()):
            measure(name, extract, pages)


if __name__ == "__main__":
    main()
