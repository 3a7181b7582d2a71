"""Telling pages from what is only served as one (F-D30)."""

import pytest

from omni_pipeline.domain.web.media_types import is_binary, is_html_type


@pytest.mark.parametrize("content_type", ["text/html", "application/xhtml+xml", ""])
def test_html_and_the_unnamed_may_be_pages(content_type: str) -> None:
    assert is_html_type(content_type)


@pytest.mark.parametrize("content_type", ["application/pdf", "image/png", "text/plain", "*/*"])
def test_other_types_are_no_pages(content_type: str) -> None:
    assert not is_html_type(content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"%PDF-1.7\n<html><body>polyglot</body></html>",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"\x89PNG\r\n\x1a\n",
        b"MZ\x90\0\x03",
        b"PK\x03\x04" + b"\0" * 20,
        b"\x1f\x8b\x08\0",
        b"\0\0\0\x18ftypmp42" + b"\0\x01\x02" * 50,
    ],
)
def test_bytes_of_other_formats_are_no_text_whatever_their_header_says(body: bytes) -> None:
    """F-D30."""
    assert is_binary(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>x</title>",
        "<p>日本語".encode("shift_jis"),
        "<p>Grüße".encode("cp1252"),
        "<html><p>wide".encode("utf-16"),
        b"<p>one stray \x0b and one \0 in a page of words" + b" word" * 20,
    ],
)
def test_text_in_any_charset_stays_text(body: bytes) -> None:
    assert not is_binary(body)
