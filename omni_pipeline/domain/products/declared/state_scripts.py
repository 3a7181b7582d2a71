"""Finds the JSON that a page carries for its scripts: in scripts, strings and attributes.

What frameworks write is told apart by form alone: a value that is assigned or handed to a function,
JSON in a string (streamed rendering), a graph flattened into a list whose entries point at each
other by their place, and JSON in an attribute.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from omni_pipeline.domain.html.json_ld import read_block, read_value, walk

MAX_CHARACTERS = 1024 * 1024
# Tried in one script: each failure costs a read up to where it stops being JSON.
MAX_OBJECTS = 20
MAX_STRINGS = 200
MAX_ATTRIBUTES = 50
MAX_FLAT = 50_000
_MIN_FLAT = 3
_MAX_DEPTH = 6

JSON_TYPES = ("application/json", "text/x-magento-init", "application/hal+json")
_ASSIGNED = re.compile(r"(?:=|\bpush\(|\()\s{0,8}(?=\{\s{0,40}\")")
# A script's string with an escaped quote in it, handed over: push([1,"..."]), JSON.parse("...").
_STRING = re.compile(r'[\[(,=]\s{0,4}(?P<string>"(?:[^"\\\n]|\\.)*+")\s{0,4}[\]);,]')
_IN_STRING = re.compile(r"(?:^|\n)(?:[\w$.]{1,12}:)?(?=[\[{])")
# How JSON begins in an attribute: looked for as they are, which is faster than any pattern.
_ATTRIBUTE_STARTS = ('="{&quot;', '="[{&quot;', '="{&#34;', '="[{&#34;', "='{\"", "='[{\"")
_DATA_NAME = re.compile(r"\sdata-[\w:.-]{1,60}\Z")
_LONGEST_NAME = 70
_REFERENCE = "__ref"
_FLAT_KEY = re.compile(r"_(\d{1,6})")


def state_values(scripts: Iterable[tuple[str, str]], page_html: str) -> Iterator[Any]:
    """Every decoded value that says something of a price, in the order of the page.

    Args:
        scripts: Kind and text of each script.
        page_html: The page's source, whose attributes may hold JSON.
    """
    left = MAX_CHARACTERS
    stream: list[str] = []
    for kind, text in scripts:
        if "ld+json" in kind or len(text) > left:
            continue
        left -= len(text)
        if kind not in JSON_TYPES and '\\"' in text:
            stream += _strings(text)
        if "rice" in text or "mount" in text:
            values = list(_of_json(text) if kind in JSON_TYPES else _of_script(text))
            if f'"{_REFERENCE}"' in text:
                _link(values)
            yield from values
    yield from _of_stream(stream)
    yield from _of_attributes(page_html)


def _link(values: list[Any]) -> None:
    """Put in place of each reference of a normalised cache the object that it names."""
    objects = list(walk(values))
    known = {
        key: value
        for item in objects
        for key, value in item.items()
        if ":" in key and isinstance(value, dict)
    }
    for item in objects:
        for key, value in item.items():
            if isinstance(value, dict) and isinstance(name := value.get(_REFERENCE), str):
                item[key] = known.get(name, value)


def _of_json(text: str) -> Iterator[Any]:
    for value in read_block(text):
        if isinstance(value, list):
            yield from _unflattened(text)
        yield value


def _of_script(text: str) -> Iterator[Any]:
    for match in islice(_ASSIGNED.finditer(text), MAX_OBJECTS):
        yield read_value(text, match.end())


def _strings(text: str) -> Iterator[str]:
    for match in islice(_STRING.finditer(text), MAX_STRINGS):
        try:
            yield json.loads(match["string"], strict=False)
        except ValueError:
            continue


def _of_stream(strings: list[str]) -> Iterator[Any]:
    """Values in strings; one may begin in a string and end in a later one."""
    parts: list[str] = []
    for text in strings:
        if text[:1] in ("[", "{") and read_value(text, 0) is not None:
            yield from _of_json(text)
        else:
            parts.append(text)
    whole = "".join(parts)
    for match in islice(_IN_STRING.finditer(whole), MAX_OBJECTS):
        yield read_value(whole, match.end())


def _of_attributes(page_html: str) -> Iterator[Any]:
    found = sorted(
        place
        for start in _ATTRIBUTE_STARTS
        for place in islice(_places(page_html, start), 2 * MAX_ATTRIBUTES)
    )
    left = MAX_CHARACTERS
    for place in found[:MAX_ATTRIBUTES]:
        quote = page_html[place + 1]
        end = page_html.find(quote, place + 2)
        text = page_html[place + 2 : end]
        left -= len(text)
        if end < 0 or left < 0:
            return
        if "rice" in text and _DATA_NAME.search(page_html, max(0, place - _LONGEST_NAME), place):
            yield from read_block(html.unescape(text) if quote == '"' else text)


def _places(text: str, start: str) -> Iterator[int]:
    place = text.find(start)
    while place >= 0:
        yield place
        place = text.find(start, place + 1)


def _unflattened(text: str) -> Iterator[Any]:
    """Objects of a flattened graph: ``[{"_1": 2}, "price", 42.5]`` or ``[{"price": 1}, 42.5]``."""
    try:
        flat = json.loads(text, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return
    if not isinstance(flat, list) or not _MIN_FLAT <= len(flat) <= MAX_FLAT:
        return
    objects = [one for one in flat if isinstance(one, dict) and one]
    if not objects or not all(type(v) is int for one in objects for v in one.values()):
        return
    for item in objects:
        names = [_name_at(flat, key) for key in item]
        if any("rice" in name for name in names):
            yield _grown(flat, item, _MAX_DEPTH)


def _name_at(flat: list[Any], key: str) -> str:
    place = _FLAT_KEY.fullmatch(key)
    found = flat[int(place[1])] if place and int(place[1]) < len(flat) else key
    return found if isinstance(found, str) else key


def _grown(flat: list[Any], value: Any, depth: int) -> Any:
    """The value at a place with what it points at; numbers become text, as everywhere."""
    if isinstance(value, dict):
        return {
            _name_at(flat, key): _grown(flat, flat[place], depth - 1)
            for key, place in value.items()
            if depth and 0 <= place < len(flat)
        }
    if isinstance(value, list):
        places = [one for one in value[:50] if type(one) is int and 0 <= one < len(flat)]
        return [_grown(flat, flat[place], depth - 1) for place in places] if depth else []
    return str(value) if type(value) is int else value
