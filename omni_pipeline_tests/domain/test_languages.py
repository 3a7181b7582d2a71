"""The language of a page: what it declares, what its text shows, and which of the two is right."""

import pytest

from omni_pipeline.domain.text.cleaning import CleanedPage, clean

GERMAN = (
    "Die Pumpe fördert das Wasser aus dem unteren in den oberen Tank, sobald der Schwimmer den "
    "Kontakt schließt. Der Schlauch ist nicht enthalten und muss eigens bestellt werden. "
)


def language(html: str) -> str | None:
    page = clean(html, url="https://site.example.test/")
    assert isinstance(page, CleanedPage), page
    return page.language


@pytest.mark.parametrize(
    "html",
    [
        f"<html lang=de-AT><body><p>{GERMAN}",
        f"<html><body lang=de-AT><p>{GERMAN}",
        f"<html><body><div lang=de-AT><p>{GERMAN}</div>",
        f"<html><head><meta property='og:locale' content=de_AT></head><body><p>{GERMAN}",
    ],
)
def test_a_language_is_declared_at_any_level(html: str) -> None:
    assert language(html) == "de-AT"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GERMAN, "de"),
        ("Pompa tłoczy wodę z dolnego zbiornika do górnego, gdy pływak zamknie obwód.", "pl"),
        ("ポンプの電源を切ってから、ホースを外してください。水は下のタンクに残ります。", "ja"),
        ("ปั๊มจะสูบน้ำจากถังล่างขึ้นไปยังถังบนเมื่อสวิตช์ลูกลอยปิดวงจร", "th"),
    ],
)
def test_an_undeclared_language_is_read_from_the_text(text: str, expected: str) -> None:
    assert language(f"<p>{text}</p>") == expected


def test_a_declaration_is_overruled_by_a_long_text_alone() -> None:
    assert language(f"<html lang=en><body><p>{GERMAN * 4}") == "de"
    assert language(f"<html lang=en><body><p>{GERMAN}") == "en"


def test_a_page_with_half_of_its_text_quoted_keeps_its_declaration() -> None:
    english = "The pump lifts the water to the upper tank as soon as the float closes the contact. "

    assert language(f"<html lang=en><body><p>{english * 6}</p><p>{GERMAN * 3}</p>") == "en"


def test_code_and_a_few_words_show_no_language() -> None:
    assert language("<p>OK</p>") is None
    assert language("<p>ok</p><pre>for item in items: print(item) while True: pass</pre>") is None
