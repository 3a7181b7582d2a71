"""Tells text that differs from request to request from what the page says.

"Updated 3 minutes ago", "12 people are viewing this", "Generated in 0.2 s": nobody searches for
them, and each would make an unchanged page look changed (R-A11). A line of nothing else is left
out; beside other words they stay, but do not count for the hash.
"""
# ruff: noqa: RUF001 - the phrases are in several alphabets

import re
from collections.abc import Iterator

# Lengths are bounded everywhere: "1,1,1,..." would otherwise take quadratic time.
_COUNT = r"(?<![\w.,])\d[\d.,]{0,9}\s?[km]?"
_SOME = rf"(?:{_COUNT}|an?|one|a few|eine[rnm]?|une?|una|uma?|один|одну)"
_UNIT = (
    r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?"
    r"|sekunden?|minuten?|stunden?|tag(?:en?)?|wochen?|monat(?:en?)?|jahr(?:en?)?"
    r"|secondes?|heures?|jours?|semaines?|mois|ans?"
    r"|segundos?|minutos?|horas?|d[ií]as?|semanas?|mes(?:es)?|años?|anos?"
    r"|секунд[уы]?|минут[уы]?|час(?:а|ов)?|день|дн(?:я|ей)|недел[юиь]|месяц(?:а|ев)?|лет|года?)"
)
_AGO = (
    rf"\b(?:{_SOME}\s?{_UNIT}\s(?:ago|назад|atrás)|\d{{1,3}}\s?(?:[smhdwy]|min|hr)s?\sago)\b"
    rf"|\bjust now\b|\bgerade eben\b|\b(?:vor|hace|il y a|há)\s{_SOME}\s?{_UNIT}\b"
    r"|\d{1,3}\s?(?:秒|分|分钟|時間|小时|日|天|か月|ヶ月|个月|年)前"
    r"|\d{1,3}\s?(?:초|분|시간|일|주|개월|년)\s?전\b"
)
_PEOPLE = r"(?:people|persons?|users?|visitors?|customers?|shoppers?|others?|guests?|readers?)"
_WATCHING = (
    rf"{_COUNT}\s(?:other\s)?{_PEOPLE}\s(?:(?:are|is|have|has|currently|now|also|already)\s){{0,3}}"
    r"(?:viewing|watching|looking at|browsing|reading|online|viewed|bought|in (?:your|their))"
    r"(?:\s(?:this|it|right|now|the|item|page|product|article|in|at|carts?|basket|moment|today))"
    r"{0,6}"
)
_TRACE = (
    r"\b(?:page )?(?:generated|rendered|loaded|served) (?:in|within) [\d.,]{1,12}\s?"
    r"(?:ms|milliseconds?|s|sec(?:ond)?s?)\b(?: with \d{1,6} queries)?"
    r"|\b(?:request|trace|session|correlation|ray|event)[ -]?id\s?[:=]?\s?[0-9a-f][0-9a-f-]{7,63}\b"
    r"|\b(?:csrf|xsrf|nonce)[ _-]?(?:token)?\s?[:=]\s?[\w+/=-]{8,128}"
)
_COUNTED = (
    r"(?:views?|likes?|shares?|visits?|visitors?|claps?|retweets?|reactions?|followers?|comments?"
    r"|replies|aufrufe|besucher|kommentare|vues|commentaires|visitas|comentarios|просмотр(?:а|ов)?)"
)
_COUNTER = (
    rf"{_COUNT}\s{_COUNTED}\b|\b{_COUNTED}\s?:?\s?\(?{_COUNT}\b\)?|\bviewed {_COUNT}\stimes\b"
)

_IN_SENTENCES = re.compile(rf"{_AGO}|{_WATCHING}|{_TRACE}", re.IGNORECASE)
_IN_LABELS = re.compile(rf"{_AGO}|{_WATCHING}|{_TRACE}|{_COUNTER}", re.IGNORECASE)
_BETWEEN = re.compile(
    r"(?:\b(?:last|updated|modified|edited|published|posted|asked|answered|active|online|on|at|and"
    r"|aktualisiert|veröffentlicht|publié|mis en ligne|actualizado|publicado"
    r"|обновлено)\b|[\W\d_])*+",
    re.IGNORECASE,
)
# A longer line is a sentence, and numbers in sentences are facts.
_MAX_LABEL_LENGTH = 120

# Every phrase has one of these: looking for them is 50 times cheaper than for the phrases.
_SIGNS = (
    *(
        " ago",
        "just now",
        "gerade eben",
        "vor ",
        "hace ",
        "il y a ",
        "há ",
        "atrás",
        "назад",
        "前",
        "전",
    ),
    *("viewing", "watching", "looking at", "viewed this", " cart", "rated in", "rendered in"),
    *("loaded in", "served in", "request", "trace", "session", "csrf", "xsrf", "nonce"),
)
_LABEL_SIGNS = (
    *_SIGNS,
    *("view", "like", "share", "visit", "clap", "retweet", "reaction", "follower", "comment"),
    *("repl", "aufruf", "besucher", "komm", "vues", "comentario", "просмотр", "people", "user"),
    *("customer", "shopper", "other", "guest", "reader", " id", "-id"),
)
_GAP = re.compile(r"\n{3,}")
_CODE = re.compile(
    r"^[ \t>]*(?:[-*+][ \t]+)*(?P<fence>`{3,}|~{3,}).*?(?:^[ \t>]*(?P=fence)|\Z)",
    re.MULTILINE | re.DOTALL,
)


def drop_noise(markdown: str) -> str:
    """Leave out the lines that hold nothing but noise; code and tables are left alone."""
    return "".join(
        part if is_code else _drop_lines(part) for is_code, part in _split_code(markdown)
    )


def without_noise(markdown: str) -> str:
    """The text as its hash should see it."""
    return "".join(
        part if is_code else "".join(map(_steady, part.splitlines(keepends=True)))
        for is_code, part in _split_code(markdown)
    )


def _split_code(markdown: str) -> Iterator[tuple[bool, str]]:
    position = 0
    for code in _CODE.finditer(markdown):
        yield False, markdown[position : code.start()]
        yield True, code[0]
        position = code.end()
    yield False, markdown[position:]


def _drop_lines(text: str) -> str:
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not _is_noise(line)]
    return text if len(kept) == len(lines) else _GAP.sub("\n\n", "".join(kept))


def _is_noise(line: str) -> bool:
    if len(line) > _MAX_LABEL_LENGTH or "|" in line[:4] or not _has(line, _LABEL_SIGNS):
        return False
    rest, found = _IN_LABELS.subn(" ", line)
    return found > 0 and _BETWEEN.fullmatch(rest) is not None


def _steady(line: str) -> str:
    if len(line) <= _MAX_LABEL_LENGTH:
        return _IN_LABELS.sub("", line) if _has(line, _LABEL_SIGNS) else line
    return _IN_SENTENCES.sub("", line) if _has(line, _SIGNS) else line


def _has(line: str, signs: tuple[str, ...]) -> bool:
    folded = line.lower()
    return any(sign in folded for sign in signs)
