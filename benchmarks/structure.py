"""How much of the structure of documentation pages is kept, and how much of their menus is.

FOLDER holds a site of static HTML whose pages say where their content is (`main`, `role=main`), as
Sphinx writes them. What stands there is what is to be found: headings, lines of code and cells of
tables. Lines that stand elsewhere on the page alone are boilerplate.

The last two rows are of the same pages with all landmarks taken away: before, and after what the
site repeats has been left out.
"""

import argparse
import importlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.text.boilerplate import decide, fingerprint, leave_out
from omni_pipeline.domain.text.cleaning import CleanedPage, clean

CONTENT = "main,[role=main]"
NO_WORDS = re.compile(r"[\W_]+")
LANDMARK = re.compile(
    r"<(/?)(?:main|nav|footer|aside|header|article)\b|\srole=(?:\"\w*\"|'\w*'|\w+)"
    r"|\saria-label=\"[^\"]*\"",
    re.IGNORECASE,
)
LINES = "a,p,h1,h2,h3,h4,h5,h6,li,dt,dd,td,th"
KINDS = ("headings", "code lines", "table cells")

Extract = Callable[[Sequence[str]], list[str]]


@dataclass(kw_only=True)
class Truth:
    """What is on one page, each text reduced to its letters and digits."""

    wanted: dict[str, list[str]]
    boilerplate: set[str]


@dataclass(kw_only=True)
class Score:
    wanted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    boilerplate_lines: int = 0


def letters(text: str) -> str:
    return NO_WORDS.sub("", text)


def truth_of(html: str) -> Truth | None:
    tree = LexborHTMLParser(html)
    content = tree.css_first(CONTENT)
    if content is None or tree.body is None:
        return None
    for node in content.css(".headerlink,script,style,.linenos"):
        node.decompose()
    rows = [cell for cell in content.css("td,th") if cell.css_first("table,pre") is None]
    code = [line for block in content.css("pre") for line in block.text().splitlines()]
    wanted = {
        "headings": [node.text() for node in content.css("h1,h2,h3,h4,h5,h6")],
        "code lines": code,
        "table cells": [cell.text() for cell in rows],
    }
    own = {letters(line) for line in lines(content)}
    own |= {letters(line) for line in code}
    return Truth(
        wanted={kind: [t for t in map(letters, texts) if t] for kind, texts in wanted.items()},
        boilerplate={letters(line) for line in lines(tree.body)} - own - {""},
    )


def lines(node: LexborNode) -> Iterator[str]:
    for part in node.css(LINES):
        yield part.text()


def score(truths: Sequence[Truth], found: Sequence[str]) -> Score:
    total = Score()
    for truth, markdown in zip(truths, found, strict=True):
        have = split(markdown)
        for kind, texts in truth.wanted.items():
            total.wanted[kind] += len(texts)
            if kind == "table cells":
                total.found[kind] += sum(text in have["table"] for text in texts)
            else:
                total.found[kind] += (Counter(texts) & Counter(have[kind])).total()
        total.boilerplate_lines += sum(
            letters(line) in truth.boilerplate for line in markdown.splitlines()
        )
    return total


def split(markdown: str) -> dict[str, list[str] | str]:
    all_lines = markdown.splitlines()
    return {
        "headings": [letters(line) for line in all_lines if line.lstrip("> -*").startswith("#")],
        "code lines": [letters(line) for line in all_lines],
        "table": letters("".join(line for line in all_lines if "|" in line)),
    }


def ours(pages: Sequence[str]) -> list[str]:
    return [page.markdown if page else "" for page in map(cleaned, pages)]


def cleaned(html: str) -> CleanedPage | None:
    page = clean(html, url="https://docs.example/page.html")
    return page if isinstance(page, CleanedPage) else None


def without_boilerplate(pages: Sequence[str]) -> list[str]:
    known = [cleaned(html) for html in pages]
    boilerplate = decide(fingerprint(page.markdown) for page in known if page)
    return [leave_out(page, boilerplate).markdown if page else "" for page in known]


def peers() -> Iterator[tuple[str, Extract]]:
    if find_spec("trafilatura") is None:
        return
    trafilatura = importlib.import_module("trafilatura")

    def extract(pages: Sequence[str]) -> list[str]:
        return [trafilatura.extract(html, output_format="markdown") or "" for html in pages]

    yield "trafilatura", extract


def measure(name: str, extract: Extract, pages: Sequence[str], truths: Sequence[Truth]) -> None:
    extract(pages[:1])  # imports and compiled patterns are not counted
    start = time.process_time()
    found = extract(pages)
    seconds = time.process_time() - start
    total = score(truths, found)
    kept = "".join(
        f"{total.found[kind] / total.wanted[kind]:>14.3f}" if total.wanted[kind] else f"{'-':>14}"
        for kind in KINDS
    )
    per_page = total.boilerplate_lines / len(pages)
    print(f"{name:<26}{kept}{per_page:>22.2f}{len(pages) / seconds:>18.1f}")


def without_landmarks(html: str) -> str:
    return LANDMARK.sub(lambda tag: f"<{tag[1]}div" if tag[0].startswith("<") else "", html)


def compare(folder: Path, limit: int | None) -> None:
    paths = [path for path in sorted(folder.resolve().rglob("*.html")) if path.is_file()]
    found = [path.read_text("utf-8", "replace") for path in paths]
    known = [(html, truth) for html in found[:limit] if (truth := truth_of(html))]
    if not known:
        print(f"{folder}: no page says where its content is")
        return
    pages, truths = [html for html, _ in known], [truth for _, truth in known]
    counts = Counter[str]()
    for truth in truths:
        counts.update({kind: len(texts) for kind, texts in truth.wanted.items()})
    print(f"\n{folder}: {len(pages)} pages; {', '.join(f'{counts[k]:,} {k}' for k in KINDS)}")
    heads = "".join(f"{kind:>14}" for kind in KINDS)
    print(f"{'':<26}{heads}{'boilerplate per page':>22}{'pages/CPU second':>18}")
    for name, extract in (("omni_pipeline", ours), *peers()):
        measure(name, extract, pages, truths)
    bare = [without_landmarks(html) for html in pages]
    measure("without landmarks", ours, bare, truths)
    measure("  and boilerplate left out", without_boilerplate, bare, truths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--limit", type=int, help="pages of each folder")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        compare(folder, arguments.limit)


if __name__ == "__main__":
    main()
