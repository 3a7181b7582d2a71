"""Foresees what parsing a page would cost, by one linear scan of its tags.

HTML parsers pay for structure, not for size: a million nested ``<div>`` (11 MB) took lexbor more
than 100 s, as did a million attributes in one tag and 300,000 options in one list, and 17 kB of
unclosed ``<font>`` grew to 23 MB because each following paragraph reopens them all. Such pages are
refused before they are parsed (F-D34, F-D35).
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

# Browsers flatten below 512; html-to-markdown silently returns nothing below 1,024.
MAX_DEPTH = 500
# Elements, comments and attributes; 0.8 kB for an element with text. The largest page of Python's
# documentation has 238,000.
MAX_NODES = 400_000
# Characters times their depth: the converter copies text at every level of some elements. The
# largest page of Python's documentation has 40 million.
MAX_CHARACTER_LEVELS = 200_000_000
# In 60 nested quotes 1 MB of text took 467 MB to convert; 240 nested tables took 7 s.
MAX_NESTED_QUOTES = 20
MAX_NESTED_TABLES = 50
# Quadratic in lexbor: 20,000 options took 1.4 s, 20,000 attributes of one tag 0.6 s.
MAX_OPTIONS = 10_000
MAX_ATTRIBUTES = 5_000
# List items end each other, unless a definition stands between: alternating nests without end.
MAX_ALTERNATIONS = 10_000

# White space is HTML's own, as the parser has it: to Python's \s a non-breaking space is some, too,
# and <script&nbsp;> would hide from the scan what the parser builds.
_SPACE = r"\t\n\f\r "
_NAME_END = rf"(?=[{_SPACE}/>]|\Z)"
_COMMENT = r"<!--(?:-?>|.*?(?:--!?>|\Z))"
_ATTRIBUTE = (
    rf"[^{_SPACE}/>][^{_SPACE}/>=]*+"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"[^"]*+"?|'[^']*+'?|[^{_SPACE}>"'][^{_SPACE}>]*+)?+)?+"""
)
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE)
_ATTRIBUTES = rf"(?:[{_SPACE}/]*+{_ATTRIBUTE})*+[{_SPACE}/]*+"
# The slash of <path d=a/> is the attribute's.
_CLOSES_ITSELF = re.compile(rf"(?:[{_SPACE}/]*+{_ATTRIBUTE})*+[{_SPACE}/]*/")
_TAG = re.compile(
    rf"{_COMMENT}|<(/?)([a-zA-Z][^{_SPACE}/>]*+)({_ATTRIBUTES})|<[!?/][^>]*+", re.DOTALL
)
_RAW_TEXT_NAMES = (
    *("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"),
)


def _raw_text(name: str) -> str:
    """What follows the attributes of a tag with raw text, up to and with the name of its end tag.

    In a script's comment a second script begins and ends, and the first goes on (WHATWG's "script
    data double escaped state").
    """
    end = rf"</{name}{_NAME_END}"
    if name != "script":
        return rf"(?ai:.*?(?:{end}|\Z))"
    inner = rf"<script{_NAME_END}(?:[^<-]++|-(?!->)|<(?!/script{_NAME_END}))*+(?:{end}|(?=-->)|\Z)"
    comment = rf"(?:[^<-]++|-(?!->)|<(?!/?script{_NAME_END})|{inner})*+(?:-->|(?={end})|\Z)"
    return rf"(?ai:(?:[^<]++|<(?!/script{_NAME_END}|!--)|<!--(?:-?>|{comment}))*+(?:{end}|\Z))"


_RAW_TEXT = {name: re.compile(_raw_text(name), re.DOTALL) for name in _RAW_TEXT_NAMES}
# The name of every tag that the scan sees, in one expression; none for comments and raw text. A tag
# with too many attributes is nameless, too, and swallows the rest of the page. What is plain comes
# first, for speed: names with another first letter than raw text has, attributes as most are.
_RAW_NAME = "|".join(_RAW_TEXT_NAMES)
_REST = rf"[^{_SPACE}/>]*+"
_ANY_NAME = (
    rf"/[a-zA-Z]{_REST}|[a-hj-mo-ru-wyzA-HJ-MO-RU-WYZ]{_REST}"
    rf"|(?![sS][cCtT]|[tT][eEiI]|[xX][mM]|[iI][fF]|[nN][oO])[a-zA-Z]{_REST}"
    rf"|(?!(?ai:{_RAW_NAME}){_NAME_END})[a-zA-Z]{_REST}"
)
_PLAIN_ATTRIBUTES = r'(?: [a-zA-Z-]++="[^"]*+"){0,50}+(?=>)'
_FEW_ATTRIBUTES = _ATTRIBUTES.replace(")*+", f"){{0,{MAX_ATTRIBUTES}}}+")
_RAW_ELEMENT = "|".join(
    rf"(?ai:{name}){_NAME_END}{_ATTRIBUTES}{_raw_text(name)}" for name in _RAW_TEXT_NAMES
)
_NAMES = re.compile(
    rf"<(?:({_ANY_NAME})(?:{_PLAIN_ATTRIBUTES}|{_FEW_ATTRIBUTES}(?![^>]))"
    rf"|{_COMMENT.removeprefix('<')}|{_RAW_ELEMENT}|/?[a-zA-Z].*+|[!?/][^>]*+)",
    re.DOTALL,
)
_VOID = (
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"),
    *("source", "track", "wbr"),
)
_END_MAY_BE_OMITTED = (
    *("p", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "li", "dt", "dd", "option"),
)
_NOT_NESTING = frozenset(_VOID + _END_MAY_BE_OMITTED)
_NAMES_NOT_NESTING = _NOT_NESTING | {""}
_ALTERNATING = {"li": "item", "dt": "definition", "dd": "definition", "option": "option"}
_FORMATTING = frozenset(
    (
        *("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong"),
        *("tt", "u"),
    )
)
_FOREIGN = frozenset(("svg", "math"))
_SPECIAL = _NOT_NESTING | _FORMATTING | _FOREIGN | {"blockquote", "table"}


@dataclass(frozen=True, kw_only=True)
class Excess:
    kind: str
    reason: str


def find_excess(html: str) -> Excess | None:
    """Say what is too much in this page, or None where parsing it is safe.

    Linear in any input: 1.5 ms for a page of 90 kB. The estimate errs towards too many.
    """
    return None if is_surely_safe(html) else _Census(html).excess()


def is_surely_safe(html: str) -> bool:
    """Whether a rougher count, in less than half the time, shows that there can be no excess.

    It errs further towards too many, so it doubts some safe pages and trusts no other: all text
    counts as if it stood at the deepest place, and every list item as an option.
    """
    names = _NAMES.findall(html)
    if not names or not names[-1]:
        return False  # the end was not read, or may not have been
    counted: Counter[str] = Counter()
    for name, count in Counter(names).items():
        counted[_kind(name)] += count
    depth = _depth_at_most(names)
    # An attribute has two characters at least.
    max_reopened = (MAX_NODES - len(html) // 2) // len(names) - 1
    return (
        depth <= MAX_DEPTH
        and depth * len(html) <= MAX_CHARACTER_LEVELS
        and (depth <= max_reopened or _reopened_at_most(names) <= max_reopened)
        and counted["blockquote"] <= MAX_NESTED_QUOTES
        and counted["table"] <= MAX_NESTED_TABLES
        and sum(counted[name] for name in _ALTERNATING) <= min(MAX_OPTIONS, MAX_ALTERNATIONS)
    )


def _kind(name: str) -> str:
    """The name as the parser has it; ``lower()`` would make a <lin\u212a>, which nests, a link."""
    return name.lower() if name.isascii() else name


def _reopened_at_most(names: list[str]) -> int:
    """How many formatting tags may be open at once: a paragraph reopens them all."""
    formatting = {name for name in {*names} if _kind(name).removeprefix("/") in _FORMATTING}
    return _depth_at_most([name for name in names if name in formatting])


def _depth_at_most(names: list[str]) -> int:
    """How deep tags with these names may nest; too deep where names alone cannot tell.

    Inside SVG every tag nests unless it closes itself, which is not seen here; and what is raw
    text elsewhere is none there, so that tags may hide in it.
    """
    kinds = {name: _kind(name) for name in {*names}}
    ends = {name: kind[1:] for name, kind in kinds.items() if kind.startswith("/")}
    opened = dict.fromkeys([*kinds.values(), *ends.values(), "svg", "math"], 0)
    depth = max_depth = 0
    for name in names:
        if ended := ends.get(name):
            if opened[ended]:
                opened[ended] -= 1
                depth -= 1
            continue
        kind = kinds[name]
        if kind in _NAMES_NOT_NESTING:
            if not opened["svg"] and not opened["math"]:
                continue
            if not kind:
                return MAX_DEPTH + 1
        opened[kind] += 1
        depth += 1
        if depth > max_depth:  # noqa: PLR1730 - max() would take a fifth of the time
            max_depth = depth
    return max_depth


class _Census:
    """What the parser would build at most. Written for speed: it sees every tag of every page."""

    def __init__(self, html: str) -> None:
        self.nodes = self.options = self.max_attributes = self.alternations = 0
        self.depth = self.max_depth = self.character_levels = 0
        self.max_nested = {"blockquote": 0, "table": 0}
        self._open: defaultdict[str, int] = defaultdict(int)
        self._open_formatting = 0
        self._open_foreign = 0
        self._last_alternating = ""
        # An attribute has two characters: where too many have no room they need no counting.
        self._uncounted_length = 0 if len(html) > 2 * MAX_NODES else 2 * MAX_ATTRIBUTES
        self._scan(html)

    def excess(self) -> Excess | None:
        deep, complex_ = "permanent.too_deep", "permanent.too_complex"
        for count, limit, kind, what in (
            (self.max_depth, MAX_DEPTH, deep, "elements inside each other"),
            (self.alternations, MAX_ALTERNATIONS, deep, "changes between kinds of list items"),
            (self.character_levels, MAX_CHARACTER_LEVELS, deep, "characters times depth"),
            (self.max_nested["blockquote"], MAX_NESTED_QUOTES, deep, "nested quotes"),
            (self.max_nested["table"], MAX_NESTED_TABLES, deep, "nested tables"),
            (self.nodes, MAX_NODES, complex_, "elements and attributes"),
            (self.options, MAX_OPTIONS, complex_, "options to choose from"),
            (self.max_attributes, MAX_ATTRIBUTES, complex_, "attributes in one tag"),
        ):
            if count > limit:
                return Excess(
                    kind=kind,
                    reason=f"the page has at least {count:,} {what}; above {limit:,} "
                    "parsing it is not safe",
                )
        return None

    def _scan(self, html: str) -> None:
        """See every tag once. Calls for the plainest of them took a third of the time."""
        position = 0
        opened, search = self._open, _TAG.search
        while (tag := search(html, position)) and self.nodes <= MAX_NODES:
            start, position = position, tag.end()
            self.character_levels += self.depth * (position - start)
            # Any tag, a comment or </p> too, may build a node and reopen all open formatting.
            self.nodes += 1 + self._open_formatting
            slash, name, attributes = tag.groups()
            if name is None:
                continue
            name = name.lower() if name.isascii() else name
            if slash:
                self._end(name)
            elif name in _RAW_TEXT and not self._open_foreign:
                text = _RAW_TEXT[name].match(html, position)
                position = text.end() if text else len(html)
            elif name in _SPECIAL or self._open_foreign or len(attributes) > self._uncounted_length:
                self._start(name, attributes)
            else:
                opened[name] += 1
                self.depth += 1
                self.max_depth = max(self.max_depth, self.depth)
        self.character_levels += self.depth * (len(html) - position)

    def _start(self, name: str, attributes: str) -> None:
        if len(attributes) > self._uncounted_length:
            self._count_attributes(attributes)
        if name in _ALTERNATING:
            self._alternate(name)
        is_foreign = self._open_foreign or name in _FOREIGN
        if _closes_itself(attributes) if is_foreign else name in _NOT_NESTING:
            return
        if name == "a":
            self._end(name)  # a link ends the one before
        self._open[name] += 1
        self.depth += 1
        self.max_depth = max(self.max_depth, self.depth)
        if name in _FORMATTING:
            self._open_formatting += 1
        elif name in self.max_nested:
            self.max_nested[name] = max(self.max_nested[name], self._open[name])
        elif name in _FOREIGN:
            self._open_foreign += 1

    def _end(self, name: str) -> None:
        if not self._open[name]:
            return
        self._open[name] -= 1
        self.depth -= 1
        if name in _FORMATTING:
            self._open_formatting -= 1
        elif name in _FOREIGN:
            self._open_foreign -= 1

    def _count_attributes(self, attributes: str) -> None:
        count = len(_ONE_ATTRIBUTE.findall(attributes))
        self.nodes += count
        self.max_attributes = max(self.max_attributes, count)

    def _alternate(self, name: str) -> None:
        self.options += name == "option"
        if _ALTERNATING[name] != self._last_alternating:
            self.alternations += 1
            self._last_alternating = _ALTERNATING[name]


def _closes_itself(attributes: str) -> bool:
    return attributes.endswith("/") and _CLOSES_ITSELF.fullmatch(attributes) is not None
