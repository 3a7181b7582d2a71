"""Whether alike URLs show new texts, or a machine shows the same one again and again.

A calendar without end has pages that differ in their dates, facets show the same products in other
orders, and a CMS whose pages are all ``/index.php?id=N`` has a new text under each of them.
"""

import re
from collections import Counter

from omni_pipeline.domain.html.parsing import content_text, parse_html
from omni_pipeline.errors import PermanentError

# Shorter runs of text are labels; of longer pages this much is enough.
_MIN_CHARACTERS = 20
_MAX_CHARACTERS = 200_000
_MAX_REMEMBERED = 200_000
_SENTENCE_END = re.compile(r"(?<=[.!?:;\u3002\uff01\uff1f])\s*")
_NO_LETTER = re.compile(r"[\W\d_]+")
_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")


class TextNovelty:
    """The texts of the pages of one pattern, as they are read.

    Args:
        with_numbers: Texts that differ in nothing but numbers are two texts.

    Attributes:
        pages: How many were noted.
        new_pages: Those of them that had, beside what most of them say, mostly what none said yet.
    """

    def __init__(self, *, with_numbers: bool = False) -> None:
        self._no_word = _NO_LETTER_OR_DIGIT if with_numbers else _NO_LETTER
        self.pages = self.new_pages = 0
        self._seen: Counter[str] = Counter()

    def note(self, html: str) -> None:
        """Take in a page."""
        sentences = _sentences(html, self._no_word)
        own = {text for text in sentences if not 2 * self._seen[text] > self.pages}
        fresh = sum(len(text) for text in own if text not in self._seen)
        self.pages += 1
        self.new_pages += 2 * fresh > sum(map(len, own))
        if len(self._seen) < _MAX_REMEMBERED:
            self._seen.update(sentences)

    @property
    def share(self) -> float:
        """The share of new pages."""
        return self.new_pages / self.pages if self.pages else 0.0


def _sentences(html: str, no_word: re.Pattern[str]) -> set[str]:
    """What a page says in words, without its links: the texts of lists differ in their choice."""
    try:
        tree = parse_html(html)
    except PermanentError:
        return set()
    for link in tree.css("a"):
        link.decompose()
    text = content_text(tree)[:_MAX_CHARACTERS]
    runs = (no_word.sub(" ", run).strip().casefold() for run in _SENTENCE_END.split(text))
    return {run for run in runs if len(run) >= _MIN_CHARACTERS}
