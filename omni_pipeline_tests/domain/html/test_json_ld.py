"""JSON as pages embed it: broken in every way that shops break it (FAULTS S52)."""

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


def test_a_page_has_one_mebibyte_s52() -> None:
    big = json.dumps({"name": "x" * MAX_CHARACTERS})

    assert list(read_blocks([big, '{"name": "b"}'])) == [{"name": "b"}]
    half = json.dumps({"name": "x" * (MAX_CHARACTERS * 2 // 3)})
    assert len(list(read_blocks([half, half]))) == 1


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_nesting_neither_raises_nor_is_followed_below_64_s52(depth: int) -> None:
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
    ],
    ids=lambda text: text[:8],
)
def test_a_hostile_block_is_given_up_in_linear_time_s49(hostile: str) -> None:
    begun = time.process_time()
    read_block(hostile)

    assert time.process_time() - begun < 1.5
