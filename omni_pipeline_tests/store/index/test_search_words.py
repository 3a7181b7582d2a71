"""What counts as a word: in any script, on any server, in texts and in questions alike."""

import unicodedata

import pytest
from psycopg import Connection

from omni_pipeline.store.index.retrieval import search
from omni_pipeline_tests.store.conftest import Run

# What was a mark long ago and still is, so that a newer Python asks for no more.
OLD = unicodedata.ucd_3_2_0


def urls_found(conn: Connection, question: str) -> list[str]:
    return [answer.text for answer in search(conn, question=question, limit=10)]


def publish(run: Run, text: str, *, language: str | None = "en", title: str = "Title") -> None:
    """Publish a page with this text, and one that has nothing of it."""
    page, other = run.save_pages("p", "other")
    run.publish({page: [text], other: ["zzz"]})
    run.conn.execute(
        "UPDATE page_revisions SET language = %s, title = CASE page_id WHEN %s THEN %s ELSE '' END",
        [language, page, title],
    )


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("en", "Open the “tank valve” first", "tank valve"),
        ("en", "the boiler’s gauge", "boiler"),
        ("en", "it stops—suddenly", "stops suddenly"),
        ("en", "a paper\u00a0tray", "tray"),
        ("en", "Gauge™ and Rotor®", "gauge"),
        ("en", "the motor… hums", "motor hum"),
        ("fr", "près de l’atelier «bleu»", "atelier"),
        ("es", "¿Cuándo? ¡Mañana!", "cuándo"),
        ("zh-CN", "请先打开阀门，然后启动发动机。", "发动机"),
        ("zh-TW", "請先打開閥門", "閥門"),
        ("ja", "フィルターを交換する前に蓋を外します", "フィルター"),
        ("ja", "フィルターを交換する前に蓋を外します", "交換"),
        ("ko", "필터를 교체하기 전에 덮개를 여십시오", "교체"),
        ("th", "ก่อนเปลี่ยนตัวกรองให้เปิดฝา", "ตัวกรอง"),
        ("lo", "ກ່ອນປ່ຽນຕົວກອງໃຫ້ເປີດຝາ", "ຕົວກອງ"),
        ("km", "មុនពេលប្តូរតម្រងសូមបើកគម្រប", "តម្រង"),
        ("my", "စစ်ထုတ်ကိရိယာကိုမလဲမီအဖုံးကိုဖွင့်ပါ", "အဖုံး"),
        (None, "阀门 and valve", "阀门"),
        ("fr", "une clé brûlée", "cle brulee"),
        ("de", "täglich geöffnet", "taglich geoffnet"),
        ("de", "die Straße", "strasse"),
        ("da", "rødgrød", "rodgrod"),
        ("pl", "żółta łódź", "zolta lodz"),
        ("es", "\ufb01cha te\u0301cnica", "ficha tecnica"),
        ("en", "Error F-7733: no flow", "F7733"),
        ("en", "Error F-7733: no flow", "f-7733"),
        ("en", "Order no. 12.345.678 today", "12345678"),
        ("en", "Order TK-90/7C today", "TK90"),
        ("en", "in v4.1.0-beta2 only", "4.1.0"),
        ("en", "a self-cleaning filter", "selfcleaning"),
        ("en", "a self\u2011cleaning filter", "selfcleaning"),
        ("en", "call readTankLevel() now", "tank level"),
        ("en", "class HTTPServerFactory", "server factory"),
        ("en", "call readTankLevel() now", "readTankLevel"),
        ("en", "set max_tank_level to 4", "max_tank_level"),
        ("en", "set max_tank_level to 4", "level"),
        ("en", "write to north.gate@example.org", "north.gate@example.org"),
        ("en", "write to north.gate@example.org", "gate"),
        ("en", "see ~/.tankrc for that", ".tankrc"),
        ("en", "run it with --no-wait there", "--no-wait"),
        ("en", "dial +49 now", "49"),
        ("en", "a 30.5 mm bolt", "30.5mm"),
        ("de", "Die Kolbenpumpenwellen prüfen", "Kolbenpumpe"),
        ("nl", "de waterleidingbuizen", "waterleiding"),
        ("sv", "byt vattenledningsrör", "vattenledning"),
        ("en", "holds 2,750 litres", "2750"),
        ("en", "a 2½ inch pipe", "2 1/2 inch"),
        ("en", "\uff26\uff35\uff2c\uff2c width", "full"),
    ],
)
def test_a_word_is_found_wherever_it_stands(
    run: Run, language: str | None, text: str, question: str
) -> None:
    publish(run, text, language=language)
    assert urls_found(run.conn, question) == [text]


@pytest.mark.parametrize("name", ["C++", "C#", ".NET"])
def test_languages_named_by_marks_are_told_apart(run: Run, name: str) -> None:
    texts = [f"bindings for {other}" for other in ("C++", "C#", ".NET", "C")]
    (page,) = run.save_pages("p")
    run.publish({page: texts})
    assert urls_found(run.conn, name)[0] == f"bindings for {name}"


def test_the_exact_form_is_better_than_one_without_accents(run: Run) -> None:
    pages = run.save_pages("p", "q")
    run.publish({pages[0]: ["la cote"], pages[1]: ["la côté"]})
    run.conn.execute("UPDATE page_revisions SET language = 'fr'")
    assert urls_found(run.conn, "côté") == ["la côté", "la cote"]


def test_an_identifier_is_found_before_others_with_the_same_parts(run: Run) -> None:
    pages = run.save_pages("p", "q", "r")
    run.publish(
        {pages[0]: ["in 4.3.2 and 3.1.4"], pages[1]: ["in 3.2.4 here"], pages[2]: ["in 4.2.3 now"]}
    )
    assert urls_found(run.conn, "3.2.4")[0] == "in 3.2.4 here"


def is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSZ"


def test_every_mark_parts_words_and_no_letter_does(conn: Connection) -> None:
    """Also where the server takes everything beyond ASCII for a letter, as with LC_CTYPE C."""
    beyond = [chr(code) for code in (*range(0xA0, 0xD800), *range(0x1D100, 0x1D200))]
    marks = [c for c in beyond if OLD.category(c)[0] in "PSZ" and is_mark(c)]
    letters = [c for c in beyond if OLD.category(c) == "Ll" and not is_mark(c)]
    assert len(marks) > 2000
    assert len(letters) > 500
    query = (
        "SELECT string_agg(c, '') FROM unnest(%s::text[]) c "
        "WHERE ('tank' = ANY (tsvector_to_array(search_words('simple', 'tank' || c || 'valve')))) "
        "<> %s"
    )
    assert conn.execute(query, [marks, True]).fetchone() == (None,)
    assert conn.execute(query, [letters, False]).fetchone() == (None,)


def test_a_question_of_stop_words_finds_the_title_that_says_so(run: Run) -> None:
    pages = run.save_pages("p", "q", "r")
    run.publish({page: [f"text {page}"] for page in pages})
    for page, title in zip(pages, ("The Who", "Who is it for", "Pumps"), strict=True):
        run.conn.execute("UPDATE page_revisions SET title = %s WHERE page_id = %s", [title, page])
    answers = search(run.conn, question="The Who", limit=10)
    assert [answer.title for answer in answers] == ["The Who", "Who is it for"]


def test_stop_words_of_the_questions_language_are_not_looked_for_in_others(run: Run) -> None:
    english, german = run.save_pages("en", "de")
    run.publish({english: ["keep the pump dry"], german: ["how what is the Ventil"]})
    run.conn.execute("UPDATE page_revisions SET language = 'de' WHERE page_id = %s", [german])
    assert urls_found(run.conn, "how do I keep the pump from what it is not") == [
        "keep the pump dry"
    ]
