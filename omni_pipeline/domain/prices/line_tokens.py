"""Cuts a line into numbers, signs of currencies and words whose role in a price is known."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from dataclasses import dataclass
from itertools import pairwise

from omni_pipeline.domain.prices import vocabulary as words
from omni_pipeline.domain.prices.amounts import NUMBER_PATTERN
from omni_pipeline.domain.prices.currencies import ISO_CODES, SIGNS, Origin, Sign
from omni_pipeline.domain.prices.currency_names import MAX_WORDS, CurrencyNames, currency_names

NUMBER, SIGN, WORD, MARK = "number", "sign", "word", "mark"


@dataclass(slots=True)
class Token:
    """A piece of the line.

    Attributes:
        text: As written, without what stands for zero cents.
        roles: Bits of ``price_words``; 0 of a word that no price needs.
        sign: The currency that it may stand for.
        times: What a number is multiplied by, from "Mio." behind it.
    """

    kind: str
    start: int
    end: int
    text: str
    roles: int = 0
    sign: Sign | None = None
    times: int = 1


# Zero cents are written as dashes: "5,-", "1 299:-".
_ROUND = r"\s?[.,]\s?[-–—=]{1,2}(?!\s?\d)|\s?:-"
_SEPARATORS = re.compile(r"[.,](?=\d{3}(?!\d))")
_MARK_GROUP = 3
_MAX_GAP = 3
_TOKEN = re.compile(rf"({NUMBER_PATTERN})(?:{_ROUND})?|({words.WORD_PATTERN})|(\S)")
_JOINED = frozenset(" -/&'’‐ ")
_LONGEST: dict[str, int] = {}
for _known in [*words.ROLES, *(key for key in SIGNS if " " in key and key[-1] not in "$£")]:
    _first, _, _rest = _known.partition(" ")
    _LONGEST[_first] = max(_LONGEST.get(_first, 1), _known.count(" ") + 1)
_UNSPACED_WORDS = re.compile(
    "|".join(
        re.escape(phrase)
        for phrase in sorted({*words.ROLES, *SIGNS, *words.MULTIPLIERS}, key=len, reverse=True)
        if words.UNSPACED.match(phrase)
    )
    + r"|[\u0300-\uffff]"
)


def tokens_of(line: str, origin: Origin) -> list[Token]:
    """The tokens of a line, those of currencies as the page of ``origin`` means them."""
    tokens = _cut(line)
    kinds = [token.kind for token in tokens]
    if WORD in kinds:
        _find_phrases(line, tokens)
    if MARK in kinds:
        _merge_signs(tokens)
    signs = [index for index, token in enumerate(tokens) if token.sign is not None]
    if all(tokens[index].kind is WORD and tokens[index].text not in ISO_CODES for index in signs):
        _find_names(tokens, origin)
        signs = [index for index, token in enumerate(tokens) if token.sign is not None]
    if signs:
        _settle(tokens, signs, origin)
    return tokens


def is_bare(tokens: list[Token]) -> bool:
    """Whether a line says nothing but numbers, signs and words that go with prices."""
    return not any(
        token.kind is WORD and not token.roles and token.sign is None for token in tokens
    )


def _cut(line: str) -> list[Token]:
    tokens: list[Token] = []
    for found in _TOKEN.finditer(line):
        group = found.lastindex
        text = found[group or 0]
        start, end = found.span()
        if group == 1:
            if len(text) < end - start:  # zero cents follow: these separators are of thousands
                text = _SEPARATORS.sub("", text)
            tokens.append(Token(NUMBER, start, end, text))
        elif group == _MARK_GROUP:
            tokens.append(Token(MARK, start, end, text, 0, SIGNS.get(text)))
        elif text >= "\u0e00" and words.UNSPACED.match(text):
            tokens += (
                Token(WORD, start + part.start(), start + part.end(), part[0])
                for part in _UNSPACED_WORDS.finditer(text)
            )
        else:
            tokens.append(Token(WORD, start, end, text))
    return tokens


def _find_phrases(line: str, tokens: list[Token]) -> None:
    """Give words their roles, the longest phrase first, and the currency that they may name."""
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if token.kind is not WORD:
            continue
        key = token.text.lower().replace(".", "") if "." in token.text else token.text.lower()
        longest = _LONGEST.get(key, 1)
        if longest > 1:
            joined = _longest_phrase(line, tokens, index - 1, key, longest)
            if joined > 1:
                _join(tokens, index - 1, joined)
                continue
        if key in words.MULTIPLIERS and _multiplies(tokens, index - 1, key):
            tokens[index - 2].times = words.MULTIPLIERS[key]
            tokens[index - 2].end = token.end
            index -= 1
            del tokens[index]
            continue
        token.roles = words.ROLES.get(key, 0)
        token.sign = sign_of(token.text)


def sign_of(text: str) -> Sign | None:
    """The sign that a word or a symbol may be: a code in capitals before anything else."""
    key = text.rstrip(".")
    return SIGNS.get(key) or SIGNS.get(key.lower()) or SIGNS.get(key.upper())


def _multiplies(tokens: list[Token], index: int, key: str) -> bool:
    """Whether a word counts the number before it in thousands or millions."""
    if not index or tokens[index - 1].kind is not NUMBER:
        return False
    gap = tokens[index].start - tokens[index - 1].end
    return gap <= (1 if len(key) > 1 else 0)


def _longest_phrase(line: str, tokens: list[Token], index: int, key: str, longest: int) -> int:
    """How many tokens, marks within included, make up the longest known phrase."""
    best, phrase, at = 1, key, index
    for _ in range(longest - 1):
        following = _next_word(line, tokens, at)
        if following is None:
            break
        at = following
        phrase = f"{phrase} {tokens[at].text.lower().replace('.', '')}"
        if phrase in words.ROLES or phrase in SIGNS:
            best = at - index + 1
    return best


def _next_word(line: str, tokens: list[Token], index: int) -> int | None:
    end = tokens[index].end
    for at in range(index + 1, min(index + 3, len(tokens))):
        token = tokens[at]
        if token.kind is WORD:
            return (
                at
                if token.start - end <= _MAX_GAP and _JOINED.issuperset(line[end : token.start])
                else None
            )
    return None


def _join(tokens: list[Token], index: int, count: int) -> None:
    first, last = tokens[index], tokens[index + count - 1]
    parts = [token.text for token in tokens[index : index + count] if token.kind is WORD]
    key = " ".join(words.phrase_words(" ".join(parts)))
    tokens[index] = Token(
        WORD, first.start, last.end, " ".join(parts), words.ROLES.get(key, 0), SIGNS.get(key)
    )
    del tokens[index + 1 : index + count]


def _merge_signs(tokens: list[Token]) -> None:
    """Join what makes one sign together: "US$", "$U", "S/", "U$S"."""
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind is MARK and (token.sign is not None or token.text in _PARTS):
            for first, last in ((-1, 1), (-1, 0), (0, 1)):
                if (merged := _merged(tokens, index + first, index + last)) is not None:
                    tokens[index + first : index + last + 1] = [merged]
                    index += first
                    break
        index += 1


_WITHIN_NAMES = frozenset("-–’'.()&/")
_PARTS = "/\"״'"


def _merged(tokens: list[Token], first: int, last: int) -> Token | None:
    if first < 0 or last >= len(tokens):
        return None
    parts = tokens[first : last + 1]
    if NUMBER in (parts[0].kind, parts[-1].kind):
        return None
    gaps = [one.start - other.end for other, one in pairwise(parts)]
    if max(gaps) > 1:
        return None
    key = "".join(
        " " * gap + part.text for gap, part in zip([0, *gaps], parts, strict=True)
    ).lower()
    sign = SIGNS.get(key)
    if sign is None:
        return None
    return Token(SIGN, parts[0].start, parts[-1].end, key, 0, sign)


def _find_names(tokens: list[Token], origin: Origin) -> None:
    """Look among the names of currencies in the page's language beside each number."""
    for index, token in enumerate(tokens):
        if token.kind is not NUMBER:
            continue
        after, before = _words_from(tokens, index, 1), _words_from(tokens, index, -1)
        if any(_is_unknown(tokens[at]) for at in (*after[:2], *before[-2:])):
            names = currency_names(origin.tag)
            _mark_name(tokens, after, names, is_after=True)
            _mark_name(tokens, before, names, is_after=False)


def _is_unknown(token: Token) -> bool:
    return not token.roles and token.sign is None


def _mark_name(
    tokens: list[Token], places: list[int], names: CurrencyNames, *, is_after: bool
) -> None:
    """Make a sign of the longest name that stands beside a number: "1.234 de yeni japonezi"."""
    skipped = 1 if is_after and places and tokens[places[0]].roles & words.LABEL else 0
    for count in range(len(places), skipped, -1):
        part = places[:count] if is_after else places[-count:]
        sign = names.get(_phrase([tokens[at] for at in part[skipped:]]))
        if sign is not None:
            for at in part:
                tokens[at].sign = sign
            return


def _phrase(parts: list[Token]) -> str:
    """The words in lower case, apart where the line has them apart."""
    text, end = "", parts[0].start
    for part in parts:
        text += (" " if part.start > end else "") + part.text.lower().replace(".", "")
        end = part.end
    return text


def _words_from(tokens: list[Token], index: int, step: int) -> list[int]:
    """The places of the words beside a number, in the order of the line."""
    places: list[int] = []
    at = index + step
    while 0 <= at < len(tokens) and len(places) < MAX_WORDS:
        if tokens[at].kind is WORD:
            places.append(at)
        elif tokens[at].text not in _WITHIN_NAMES:
            break
        at += step
    return places[::step]


def _settle(tokens: list[Token], places: list[int], origin: Origin) -> None:
    """Keep as signs those that are signs on this page; what is a word as well needs a reason."""
    bare: bool | None = None
    for index in places:
        token, sign = tokens[index], tokens[index].sign
        if sign is None:
            continue
        if sign.is_weak and not origin.knows(sign) and bare is None:
            bare = is_bare(tokens)
        if _is_meant(tokens, index, sign, origin, bare=bool(bare)):
            token.kind = SIGN
        else:
            token.sign = None


def _is_meant(tokens: list[Token], index: int, sign: Sign, origin: Origin, *, bare: bool) -> bool:
    text = tokens[index].text
    if sign.is_cents and tokens[index].kind is WORD and not text.islower():
        return False
    if not sign.is_weak or origin.knows(sign):
        return True
    if text in ISO_CODES:
        return bare or _is_exact(tokens, index)
    return bare and (origin.language is None or text.upper() in ISO_CODES or not sign.languages)


def _is_exact(tokens: list[Token], index: int) -> bool:
    """Whether a number beside it has separators as amounts of money have."""
    return any(
        token.kind == NUMBER and not token.text.isdigit()
        for token in tokens[max(0, index - 1) : index + 2]
    )
