"""What languages call currencies and how they mark decimals, from the Unicode CLDR.

Babel is imported by the first text that needs it: its import and one language's names take about
60 ms of CPU, and most pages write signs.
"""

import re
from collections import defaultdict
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from omni_pipeline.domain.prices.currencies import ISO_CODES, SIGNS, WORDLIKE, Sign
from omni_pipeline.domain.prices.vocabulary import phrase_words

if TYPE_CHECKING:
    from babel import Locale

MAX_WORDS = 16
_SPACES = ("\u00a0", "\u202f", " ")
_SCRIPT = re.compile(r"[a-z]{2,3}_[A-Z][a-z]{3}")
# Which of several currencies of one noun is meant where nothing tells.
_USUAL = ("USD", "EUR", "GBP", "RUB", "INR")
# Numbers whose plurals differ in some language.
_COUNTS: tuple[Decimal, ...] = (*map(Decimal, (1, 2, 3, 5, 11, 21, 100, 10**6)), Decimal("1.5"))


class CurrencyNames:
    """The names of currencies in a language of pages, in its scripts, and in English.

    Shops of all languages name currencies in English, too.
    """

    def __init__(self, language: str | None) -> None:
        self._tables = [_names(tag) for tag in _tags(language)]

    def get(self, name: str) -> Sign | None:
        """The sign that a name is: in full, or the noun alone ("dollars")."""
        return next((table[name] for table in self._tables if name in table), None)


@lru_cache(maxsize=64)
def currency_names(language: str | None) -> CurrencyNames:
    return CurrencyNames(language)


@lru_cache(maxsize=64)
def _names(tag: str) -> dict[str, Sign]:
    locale = _locale(tag)
    if locale is None:
        return {}
    names = {
        code: {tuple(phrase_words(form)) for form in _forms(code, locale)} - {()}
        for code in sorted(ISO_CODES & set(locale.currencies))
    }
    signs = _nouns(names)
    for code, of_code in names.items():
        for words in of_code:
            if len(words) > 1 or words[0] not in signs:
                signs[" ".join(words)] = SIGNS[code] if code not in WORDLIKE else _full(code)
    return {name: sign for name, sign in signs.items() if name not in SIGNS}


@lru_cache(maxsize=256)
def _full(code: str) -> Sign:
    return Sign(codes=(code,), usual=code, is_code=True)


def _forms(code: str, locale: "Locale") -> set[str]:
    from babel.numbers import get_currency_name  # noqa: PLC0415 - see the top of the module

    counts = {locale.plural_form(count): count for count in _COUNTS}.values()
    plural = {get_currency_name(code, count=count, locale=locale) for count in counts}
    symbol = locale.currency_symbols.get(code, "")
    return {*plural, locale.currencies[code], symbol if symbol.isalpha() else ""}


def _nouns(names: dict[str, set[tuple[str, ...]]]) -> dict[str, Sign]:
    """The noun stands on the side where names share their words: "dollar" in all dollars."""
    by_side: tuple[dict[str, set[str]], dict[str, set[str]]] = (defaultdict(set), defaultdict(set))
    for code, of_code in names.items():
        for words in of_code:
            by_side[0][words[0]].add(code)
            by_side[1][words[-1]].add(code)
    nouns = max(by_side, key=lambda side: max(map(len, side.values()), default=0))
    return {
        noun: _noun(frozenset(codes))
        for noun, codes in nouns.items()
        if noun.upper() not in ISO_CODES
    }


@lru_cache(maxsize=2048)
def _noun(codes: frozenset[str]) -> Sign:
    usual = next((code for code in _USUAL if code in codes), None)
    only = next(iter(codes)) if len(codes) == 1 else usual
    return Sign(codes=tuple(sorted(codes)), usual=only, is_weak=True)


@lru_cache(maxsize=256)
def decimal_mark(language: str) -> str | None:
    """The decimal mark of a language and its region, "." or ","."""
    locale = _locale(language)
    if locale is None:
        return None
    mark = _symbol(locale, "decimal").replace("\u066b", ".")
    return mark if mark in (".", ",") else None


@lru_cache(maxsize=256)
def groups_by_space(language: str) -> bool:
    """Whether the language sets thousands apart by a space."""
    locale = _locale(language)
    return locale is not None and _symbol(locale, "group") in _SPACES


def _symbol(locale: "Locale", name: str) -> str:
    # Shops write digits of ASCII, whatever the language's own are.
    symbols = locale.number_symbols.get("latn") or {}
    return str(symbols.get(name, ""))


def _tags(language: str | None) -> list[str]:
    """The page's own tag first, its language in each script, and English."""
    from babel.localedata import locale_identifiers  # noqa: PLC0415 - see the top of the module

    if not language:
        return ["en"]
    primary = re.split(r"[-_]", language)[0].lower()
    scripts = [
        tag
        for tag in locale_identifiers()
        if tag.startswith(f"{primary}_") and _SCRIPT.fullmatch(tag)
    ]
    return list(dict.fromkeys((language, primary, *scripts, "en")))


def _locale(language: str) -> "Locale | None":
    """The locale of a tag, else of its language alone."""
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - see the top of the module

    tag = language.strip().replace("_", "-")
    for known in (tag, tag.partition("-")[0]):
        try:
            return Locale.parse(known, sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return None
