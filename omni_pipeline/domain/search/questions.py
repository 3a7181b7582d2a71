"""Reads questions with the pages that answer them: JSON lines, or CSV under a line of names."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass

from omni_pipeline.domain.web.urls import canonical_url
from omni_pipeline.errors import SettingsError

_FORMS = (
    'each line is {"question": "…", "urls": ["https://…"]} in JSON, or the file is CSV under the '
    "names question,url"
)


@dataclass(frozen=True, kw_only=True)
class ExpectedAnswer:
    """A question and the canonical addresses of all pages that answer it."""

    question: str
    urls: frozenset[str]


def read_questions(text: str, *, name: str) -> list[ExpectedAnswer]:
    """The questions of a file, in its order; CSV lines with one question are joined.

    Args:
        text: What the file says.
        name: What it is called in errors.

    Raises:
        SettingsError: A line cannot be read, or there is none; says which one, and what to do.
    """
    text = text.removeprefix("\ufeff")
    is_json = text.lstrip().startswith(("{", "["))
    urls_by_question: dict[str, set[str]] = {}
    lines = _json_lines if is_json else _csv_lines
    for place, question, urls in lines(text, name) if text.strip() else ():
        known = urls_by_question.setdefault(_question(question, place), set())
        known.update(_url(url, place) for url in urls)
    if not urls_by_question:
        raise SettingsError(f"{name} has no questions: {_FORMS}.")
    return [
        ExpectedAnswer(question=question, urls=frozenset(urls))
        for question, urls in urls_by_question.items()
    ]


_Line = tuple[str, object, list[object]]


def _json_lines(text: str, name: str) -> Iterator[_Line]:
    # Not splitlines(): JSON may have U+2028 inside its strings.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise SettingsError(f"{place} is not JSON ({error}): {_FORMS}.") from error
        if not isinstance(entry, dict):
            raise SettingsError(f"{place} is no object: {_FORMS}.")
        urls = entry.get("urls", entry.get("url"))
        urls = [urls] if isinstance(urls, str) else urls
        if not isinstance(urls, list) or not urls:
            raise SettingsError(f'{place} has no "urls": {_FORMS}.')
        yield place, entry.get("question"), urls


def _csv_lines(text: str, name: str) -> Iterator[_Line]:
    rows = csv.DictReader(text.splitlines(keepends=True))
    if not {"question", "url"} <= set(rows.fieldnames or ()):
        raise SettingsError(f"{name}, line 1 does not name question and url: {_FORMS}.")
    try:
        for row in rows:
            yield f"{name}, line {rows.line_num}", row["question"], [row["url"]]
    except csv.Error as error:
        raise SettingsError(
            f"{name}, line {rows.line_num} is not CSV ({error}): {_FORMS}."
        ) from error


def _question(question: object, place: str) -> str:
    if isinstance(question, str) and question.strip():
        return question.strip()
    raise SettingsError(f"{place} has no question: {_FORMS}.")


def _url(url: object, place: str) -> str:
    canonical = canonical_url(url.strip()) if isinstance(url, str) else None
    if canonical is None:
        raise SettingsError(
            f"{place}: {url!r} is no address of a page: write it out, such as "
            "https://docs.example.com/guide."
        )
    return canonical
