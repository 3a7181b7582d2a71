"""How fast pages are cut, and how few chunks an edit changes.

FOLDER holds a site of static HTML. Beside our chunker runs the Rust splitter that it uses, alone
and with the same tokenizer. For stability one paragraph is inserted under the first heading of each
page: chunks whose text was not there before would be embedded again.
"""

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from semantic_text_splitter import MarkdownSplitter

from omni_pipeline.domain.chunks.chunking import Chunker, make_chunker
from omni_pipeline.domain.text.cleaning import CleanedPage, clean
from omni_pipeline.domain.text.outline import find_sections

TOKENIZER = "text-embedding-3-small"
PARAGRAPH = (
    "\n\nThis paragraph was not here before. It says in a few ordinary words what the rest of the "
    "page is about, and it is about as long as most.\n\n"
)


def markdown_of(folder: Path, limit: int) -> list[str]:
    paths = [path for path in sorted(folder.resolve().rglob("*.html")) if path.is_file()]
    pages = [
        clean(path.read_text("utf-8", "replace"), url="https://docs.example/")
        for path in paths[: 2 * limit]
    ]
    texts = [page.markdown for page in pages if isinstance(page, CleanedPage)]
    return texts[:limit]


def edited(markdown: str) -> str:
    """The page with a paragraph more at its top."""
    sections = find_sections(markdown)
    place = sections[1].body_start if len(sections) > 1 else 0
    return f"{markdown[:place]}{PARAGRAPH}{markdown[place:].lstrip()}"


def measure_speed(name: str, split: Callable[[str], object], texts: list[str]) -> None:
    split(texts[0])
    start = time.process_time()
    for text in texts:
        split(text)
    seconds = time.process_time() - start
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{name:<36}{megabytes / seconds:>8.2f} MB per CPU second")


def count_changed(chunker: Chunker, markdown: str) -> int:
    before = Counter(chunk.text for chunk in chunker.split(markdown))
    after = Counter(chunk.text for chunk in chunker.split(edited(markdown)))
    return (after - before).total()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=200, help="pages for the speed")
    parser.add_argument("--tokens", type=int, default=512, help="of one chunk")
    arguments = parser.parse_args()
    texts = markdown_of(arguments.folder, arguments.limit)
    chunker = make_chunker(TOKENIZER, arguments.tokens)
    size = sum(map(len, texts))
    print(f"{len(texts)} pages, {size:,} characters, {arguments.tokens} tokens of {TOKENIZER}")
    measure_speed("omni_pipeline", chunker.split, texts)
    rust = MarkdownSplitter.from_tiktoken_model(TOKENIZER, arguments.tokens)
    measure_speed("semantic-text-splitter, its counter", rust.chunks, texts)
    over = sum(c.token_count > arguments.tokens for text in texts for c in chunker.split(text))
    print(f"chunks above the limit: {over}")
    changed = [count_changed(chunker, text) for text in texts[:100]]
    print(
        f"one paragraph inserted in {len(changed)} pages: chunks embedded again per page: "
        f"median {statistics.median(changed):g}, mean {statistics.mean(changed):.2f}, "
        f"most {max(changed)}, two or fewer on {sum(n <= 2 for n in changed)}"
    )


if __name__ == "__main__":
    main()
