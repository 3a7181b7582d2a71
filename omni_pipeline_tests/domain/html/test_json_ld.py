"""JSON as pages embed it: broken in every way that shops break it (S-52)."""

import json
import time

import pytest

from omni_pipeline.domain.html.json_ld import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    read_block,
    read_blocks,
    walk,
)

VARIANTS = {
    "plain": '{"name": "a"}',
    "trailing comma": '{"name": "a",}',
    "trailing comma in a list": '[{"name": "a"},]',
    "comment around it": '<!-- {"name": "a"} -->',
    "comment of lines around it": '<!--\n{"name": "a"}\n-->',
    "cdata": '<![CDATA[ {"name": "a"} ]]>',
    "commented cdata": '//<![CDATA[\n{"name": "a"}\n//]]>',
    "block-commented cdata": '/*<![CDATA[*/ {"name": "a"} /*]]>*/',
    "block comment": '/* x */ {"name": "a"}',
    "comment inside": '{/* x */ "name": "a" // y\n}',
    "semicolon": '{"name": "a"};',
    "byte order mark": '\ufeff{"name": "a"}',
    "escaped quotes": "{&quot;name&quot;: &quot;a&quot;}",
    "comment before it": '<!-- made by the shop --> {"name": "a"}',
    "comment in the middle": '{"name": "a" <!-- x -->, "b": 1}',
    "comma before a comment": '{"name": "a", // price\n//"x": ""\n}',
    "comma before a block comment": '{"name": "a", /* x */ }',
    "commas": '{"name": "a",, "b": [1,,2],,}',
    "no comma at the end of a line": '{"name": "a"\n "b": "c"}',
    "empty value": '{"sku": , "name": "a", "x": }',
    "undefined": '{"sku": undefined, "name": "a"}',
    "leading zero": '{"gtin": 0123, "name": "a"}',
    "single quotes around a value": """{"sku": 'x', "name": "a"}""",
    "assigned": 'window.data = {"name": "a"};',
    "cut short": '{"name": "a", "offers": {"price": "1"',
    "cut short behind a comma": '{"name": "a", "offers": [{"price": "1"},',
    "a bracket too many": '{"name": "a"}}',
    "two objects": '{"name": "a"}{"name": "b"}',
    "two objects and a comma": '{"name": "a"},\n{"name": "b"}',
}


@pytest.mark.parametrize("text", VARIANTS.values(), ids=VARIANTS)
def test_a_broken_block_is_read(text: str) -> None:
    assert next(walk(read_block(text)))["name"] == "a"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"name": "a\nb"}', "a\nb"),
        ('{"name": "a\tb"}', "a\tb"),
        ('{"name": "15" TFT"}', '15" TFT'),
        ('{"name": "a \\d b"}', "a \\d b"),
        ('{"name": "it\\\'s"}', "it\\'s"),
        ('{"url": "https://x.example/a//b", "name": "n",}', "n"),
        ('{"name": "/* no comment */",}', "/* no comment */"),
    ],
)
def test_text_inside_survives_the_repair(text: str, name: str) -> None:
    assert read_block(text)[0]["name"] == name


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ('{"price": 1,299.00, "x": 1}', "1,299.00"),
        ('{"price": 19,90}', "19,90"),
        ('{"price": 19.90 EUR}', "19.90 EUR"),
        ('{"price": 019.90, }', "019.90"),
        ('{"price": -1.5e3, "x": true, }', "-1.5e3"),
    ],
)
def test_a_number_written_for_people_stays_whole(text: str, price: str) -> None:
    assert read_block(text)[0]["price"] == price


def test_repair_keeps_what_is_right() -> None:
    text = '{"a": [1, 2.5, true, null, "x: 5, y"], "b": {"c": "// no \\" comment, }"},}'

    assert read_block(text) == [
        {"a": ["1", "2.5", True, None, "x: 5, y"], "b": {"c": '// no " comment, }'}}
    ]


def test_a_circle_of_objects_is_walked_once() -> None:
    one: dict[str, object] = {"name": "a"}
    one["back"] = {"to": [one, one]}

    assert len(list(walk([one, one]))) == 2


def test_numbers_stay_as_they_are_written() -> None:
    assert read_block('{"price": 19.90, "big": 1e400, "nan": NaN}') == [
        {"price": "19.90", "big": "1e400", "nan": "NaN"}
    ]
    assert read_block('{"price": ' + "9" * 5_000 + "}")[0]["price"] == "9" * 5_000


def test_one_bad_block_does_not_lose_the_others() -> None:
    blocks = ['{"name": "a"}', "{{{", "", "null", '{"name": "b"}']

    assert [item["name"] for item in walk(list(read_blocks(blocks)))] == ["a", "b"]


def test_what_came_before_the_damage_is_kept() -> None:
    assert read_block('{"name": "a"} {"name": ') == [{"name": "a"}]


def test_a_page_has_one_mebibyte() -> None:
    """S-52."""
    big = json.dumps({"name": "x" * MAX_CHARACTERS})

    assert list(read_blocks([big, '{"name": "b"}'])) == [{"name": "b"}]
    half = json.dumps({"name": "x" * (MAX_CHARACTERS * 2 // 3)})
    assert len(list(read_blocks([half, half]))) == 1


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_nesting_neither_raises_nor_is_followed_below_64(depth: int) -> None:
    """S-52."""
    objects = '{"a":' * depth + "1" + "}" * depth
    lists = "[" * depth + "]" * depth

    assert len(list(walk(read_block(objects)))) <= MAX_DEPTH
    assert list(walk(read_block(lists))) == []


@pytest.mark.parametrize(
    "hostile",
    [
        '"' * 1_000_000,
        '"' + " " * 900_000,
        "/*" * 500_000,
        "," * 1_000_000,
        '{"a":"' + '\\"' * 400_000,
        "<!--" * 250_000,
        ";" * 1_000_000,
        "&quot;" * 160_000,
        '"," ' * 250_000,
        "{" * 1_000_000,
        '{"a": b' * 60_000,
        '"a"\n"b":' * 45_000,
        "<!-- -->" * 120_000,
        ": " * 500_000,
        '{"a":[' * 65_000,
        ",/*" * 330_000,
    ],
    ids=lambda text: text[:8],
)
def test_a_hostile_block_is_given_up_in_linear_time(hostile: str) -> None:
    """S-49."""
    begun = time.process_time()
    read_block(hostile)

    assert time.process_time() - begun < 1.5
