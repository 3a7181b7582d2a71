"""The charset that a page declares: cases of html5lib's encoding tests, in this project's words."""

import time

import pytest

from omni_pipeline.domain.web.charset_prescan import label_in_page
from omni_pipeline.domain.web.encoding_labels import codec_of


@pytest.mark.parametrize(
    ("page", "codec"),
    [
        ("<meta charset=koi8-r>", "koi8-r"),
        ("<meta charset='koi8-r'>", "koi8-r"),
        ('<META CHARSET = "KOI8-R" />', "koi8-r"),
        ("<meta\n\f\tcharset=\nkoi8-r\n>", "koi8-r"),
        ("<meta/charset=koi8-r>", "koi8-r"),
        ("<meta x charset=koi8-r y>", "koi8-r"),
        ("<p>text<meta charset=koi8-r>", "koi8-r"),
        ("<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r"),
        ("<meta content='text/html;charset = \"koi8-r\"' http-equiv=content-type>", "koi8-r"),
        ("<meta http-equiv=content-type content='charset=koi8-r; x'>", "koi8-r"),
        ("<meta http-equiv=content-type content='x charset y charset=koi8-r'>", "koi8-r"),
        ("<meta charset=koi8-r http-equiv=content-type content='charset=koi8-u'>", "koi8-r"),
        ("<meta charset=no-such><meta charset=koi8-r>", "koi8-r"),
        ("<meta charset=koi8-r><meta charset=koi8-u>", "koi8-r"),
        ("<meta charset=koi8-r charset=koi8-u>", "koi8-r"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=x-user-defined>", "cp1252"),
        ("<?xml version='1.0' encoding='koi8-r'?>", "koi8-r"),
        # what does not count
        ("", None),
        ("<meta>", None),
        ("<meta charset>", None),
        ("<metacharset=koi8-r>", None),
        ("<meta name=keywords content='charset=koi8-r'>", None),
        ("<meta content='text/html; charset=koi8-r'>", None),
        ("<meta http-equiv=refresh content='0;charset=koi8-r'>", None),
        ("<meta http-equiv=content-type content='charset koi8-r'>", None),
        ("<meta http-equiv=content-type content='charset=\"koi8-r'>", None),
        ("<!-- <meta charset=koi8-r> -->", None),
        ("<!-- > <meta charset=koi8-r>", None),
        ("<!--><meta charset=koi8-r>", "koi8-r"),
        ("<!-- --><meta charset=koi8-r>", "koi8-r"),
        ("<a href='<meta charset=koi8-r>'>", None),
        ("</a title='<meta charset=koi8-r>'>", None),
        ("<!x <meta charset=koi8-r>", None),
        ("</ <meta charset=koi8-r>", None),
        ("<?php <meta charset=koi8-r>", None),
        ("<script>x = '<meta charset=koi8-r>'</script>", None),
        ("<style>/* <meta charset=koi8-r> */</style><meta charset=koi8-u>", "koi8-u"),
        ("<title><meta charset=koi8-r></title>", None),
        ("x<?xml version='1.0' encoding='koi8-r'?>", None),
    ],
)
def test_a_page_declares_its_charset_where_browsers_look(page: str, codec: str | None) -> None:
    assert label_in_page(page.encode()) == codec


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        *(("utf8", "utf-8"), ("unicode-1-1-utf-8", "utf-8"), (" UTF-8\n", "utf-8")),
        *(("latin1", "cp1252"), ("us-ascii", "cp1252"), ("iso88591", "cp1252")),
        *(("l9", "iso8859-15"), ("latin5", "cp1254"), ("tis-620", "cp874")),
        *(("visual", "iso8859-8"), ("logical", "iso8859-8"), ("iso88592", "iso8859-2")),
        *(("koi", "koi8-r"), ("koi8-ru", "koi8-u"), ("x-cp1251", "cp1251")),
        *(("x-mac-roman", "mac-roman"), ("x-mac-ukrainian", "mac-cyrillic")),
        *(("sun_eu_greek", "iso8859-7"), ("dos-874", "cp874"), ("866", "cp866")),
        *(("cn-big5", "big5hkscs"), ("x-gbk", "gb18030"), ("csgb2312", "gb18030")),
        *(("ms_kanji", "cp932"), ("windows-31j", "cp932"), ("x-euc-jp", "euc_jp")),
        *(("korean", "cp949"), ("ks_c_5601-1989", "cp949"), ("unicode", "utf-16-le")),
        *(("latin-1", None), ("utf_8", None), ("punycode", None), ("hex", None)),
        *(("iso-2022-kr", None), ("hz-gb-2312", None), ("", None), (None, None)),
    ],
)
def test_labels_are_those_of_the_standard(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec


@pytest.mark.parametrize("token", [b"<", b"<!--", b"<meta ", b"<script>", b"<a b='", b"<meta x="])
def test_looking_for_a_charset_is_cheap_whatever_the_page(token: bytes) -> None:
    started = time.process_time()

    label_in_page(token * 100_000)

    assert time.process_time() - started < 0.5
