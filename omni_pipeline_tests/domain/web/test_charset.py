"""Bytes to text, whatever header and page claim (F-D28, F-D29)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.web.charset import MAX_REPLACED_SHARE, decode

GERMAN = "Die Größe der Übergänge läßt sich später prüfen. "
JAPANESE = "これは日本語のページです。設定を変更してください。"
RUSSIAN = "Это страница на русском языке, которая описывает установку программы. "


def _page(text: str, meta: str = "") -> str:
    tag = f'<meta charset="{meta}">' if meta else ""
    return f"<html><head>{tag}<title>x</title></head><body><p>{text * 20}</p></body></html>"


@pytest.mark.parametrize(
    ("written_in", "header", "meta", "text"),
    [
        ("utf-8", "utf-8", "", GERMAN),
        ("utf-8", None, "utf-8", GERMAN),
        ("utf-8", None, "", JAPANESE),
        ("utf-8-sig", "iso-8859-1", "shift_jis", JAPANESE),  # the mark is stronger than both
        ("utf-16", "utf-8", "utf-8", JAPANESE),
        ("utf-16-be", "utf-16-be", "", GERMAN),
        ("cp1252", "iso-8859-1", "", "„Größe“ … € "),  # browsers read latin-1 as windows-1252
        ("cp1252", "utf-8", "", GERMAN),  # the header lies
        ("cp1252", "utf-8", "windows-1252", "naïve café € " * 9),
        ("shift_jis", "utf-8", "Shift_JIS", JAPANESE),
        ("shift_jis", None, "x-sjis", JAPANESE),
        ("euc_jp", None, "", JAPANESE),
        ("koi8_r", None, "", RUSSIAN),
        ("cp1251", "windows-1251", "", RUSSIAN),
        ("gb18030", "gb2312", "", "这是一个中文页面,介绍如何安装软件。"),
        ("utf-8", "no-such-charset", "utf-16", GERMAN),  # read as ASCII, so it cannot be UTF-16
        ("utf-8", "punycode", "unicode_escape", GERMAN),
    ],
)
def test_a_page_is_read_as_it_was_written(
    written_in: str, header: str | None, meta: str, text: str
) -> None:
    """F-D28."""
    page = _page(text, meta)

    decoded = decode(page.encode(written_in), header)

    assert decoded.text == page
    assert decoded.replaced_share == 0


def test_the_header_is_believed_before_the_page() -> None:
    """F-D28."""
    assert decode("é".encode("cp1252"), "windows-1252").text == "é"
    assert decode(_page("é", "koi8-r").encode("cp1252"), "cp1252").text == _page("é", "koi8-r")


def test_a_few_broken_bytes_do_not_unseat_a_declared_charset() -> None:
    body = (GERMAN * 20).encode() + b"\xff"

    decoded = decode(body, "utf-8")

    assert decoded.charset == "utf-8"
    assert decoded.text == GERMAN * 20 + "\ufffd"
    assert 0 < decoded.replaced_share <= MAX_REPLACED_SHARE


def test_rubbish_is_marked_by_its_share_of_replaced_characters() -> None:
    decoded = decode(b"\xff\xfe" + b"\x00\xd8" * 100, None)
    assert decoded.replaced_share > MAX_REPLACED_SHARE


@given(st.binary(max_size=400), st.one_of(st.none(), st.text(max_size=20)))
def test_no_bytes_and_no_label_raise(body: bytes, label: str | None) -> None:
    """F-D28."""
    decode(body, label)


@pytest.mark.parametrize(
    "label",
    ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-7", "zlib", "hex", "rot13"],
)
def test_no_codec_outside_of_the_web_is_ever_used(label: str) -> None:
    started = time.process_time()

    decoded = decode(b"a-" * 500_000, label)

    assert decoded.text == "a-" * 500_000
    assert time.process_time() - started < 2
