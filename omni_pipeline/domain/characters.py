"""Makes crawled text storable, and free of characters that a reader cannot see.

Postgres refuses NUL and lone surrogates, and one of them would fail a whole batch. Zero-width
characters, bidi controls and Unicode tags hide prompts from people but not from models; they also
give one visible text many hashes (F-D29, S-64, I41).
"""

import re
import unicodedata
from dataclasses import dataclass

# Vertical tab, form feed, carriage return, NEL, line and paragraph separator.
_LINE_BREAK = re.compile("[\x0b-\x0d\x85\u2028\u2029]")

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff"  # soft hyphen, zero-width spaces, byte order mark
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # bidi marks, overrides and isolates
    "\ufff9-\ufffb\ufffe\uffff"  # interlinear marks, noncharacters
    "\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e0fff"  # tags and supplementary variation selectors
    "]+"
)

# What most pages are made of: nothing of it is dropped, folded or a mark. Checking that takes a
# tenth of the time of the searches for what would be.
_ORDINARY = re.compile(
    "[\t\n -~\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u058f\u2010-\u2027\u2030-\u205e\u2070-\u20cf"
    "\u2100-\u2cee\u3001-\u3029\u3030-\u3098\u309b-\ua66e\uac00-\ud7a3\uff01-\uffee]*+"
)

# The two joiners spell Persian, Indic scripts and emoji families; between anything else, or in
# rows, they are only a hiding place.
_SPELLED_WITH_JOINERS = "[\u0590-\u1cff\u2190-\U0001ffff]"
_STRAY_JOINER = re.compile(
    f"(?<!{_SPELLED_WITH_JOINERS})[\u200c\u200d]+|[\u200c\u200d]+(?!{_SPELLED_WITH_JOINERS})"
    "|[\u200c\u200d]{2,}"
)

# CPython sorts combining marks in quadratic time: 400,000 in one row took 125 s. The limit is
# that of Unicode's Stream-Safe Text Format (UAX 15); no script comes near it.
MAX_MARKS_IN_A_ROW = 30
_MAYBE_MARKS = re.compile(rf"[^\w\x00-\x7f][^\w\x00-\x7f]{{{MAX_MARKS_IN_A_ROW},}}")


@dataclass(frozen=True, kw_only=True)
class Hygiene:
    """``removed`` counts invisible characters; more than a few mark a page as suspicious."""

    text: str
    removed: int


def storable(text: str) -> str:
    """The text as it may be hashed, stored and embedded; see ``clean_characters``."""
    return clean_characters(text).text


def clean_characters(text: str) -> Hygiene:
    """Fold line breaks to LF, drop invisible characters, compose to NFC. Linear in any input."""
    text = text.replace("\r\n", "\n")
    if _ORDINARY.fullmatch(text):
        return Hygiene(text=unicodedata.normalize("NFC", text), removed=0)
    folded = _LINE_BREAK.sub("\n", text)
    visible = _INVISIBLE.sub("", folded)
    if "\u200c" in visible or "\u200d" in visible:
        visible = _STRAY_JOINER.sub("", visible)
    if not visible.isascii():
        visible = _MAYBE_MARKS.sub(_thin_marks, visible)
    return Hygiene(text=unicodedata.normalize("NFC", visible), removed=len(folded) - len(visible))


def _thin_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in run[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_MARKS_IN_A_ROW:
            kept.append(character)
    return "".join(kept)
