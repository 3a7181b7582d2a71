"""A scope's answers are its own: whatever else is indexed, and whenever statistics were made."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from psycopg import Connection

from omni_pipeline.domain.search.query import Scope
from omni_pipeline.store.index.retrieval import SearchResult, search
from omni_pipeline.store.jobs import domains
from omni_pipeline_tests.store.conftest import HOST, Run, start_run, vector_of

LANGUAGES = (
    *("en", "de", "fr", "es", "it", "nl", "sv", "da", "nb", "fi", "pt", "ro", "ru", "tr", "hu"),
    *("ar", "el", "ja", "pl", None),
)

WORDS = (
    *("pump", "valve", "tank", "how", "the", "Pumpe", "reinigen", "gauge", "filters", "opened"),
    *("水泵", "error", "E-4021", "float", "switch", "die", "cold", "night", "keep", "running"),
)

QUESTIONS = (
    "how do I keep the pump from running dry when the float switch sticks on a cold night",
    "die Pumpe reinigen",
    "E-4021 水泵",
    "the",
)

SCOPES = (
    Scope(host=HOST),
    Scope(organization="own"),
    Scope(url_prefix=f"https://{HOST}/p"),
    Scope(language="en-own"),
    Scope(host=HOST, seen_within=timedelta(days=9)),
)


def text_of(number: int) -> str:
    """A text of its own: common words stand in many, rare ones in few."""
    some = [word for place, word in enumerate(WORDS) if number % (place + 1) == 0]
    return f"{' '.join(some * (1 + number % 3))} {number} " + "filler " * (number % 7)


def fill(run: Run, languages: tuple[str | None, ...], *, first: int, count: int = 60) -> None:
    pages = run.save_pages(*(f"p{number}" for number in range(count // 3)))
    texts = [text_of(first + number) for number in range(count)]
    run.publish({page: texts[3 * n : 3 * n + 3] for n, page in enumerate(pages)})
    for number, page in enumerate(pages):
        run.conn.execute(
            "UPDATE page_revisions SET language = %s WHERE page_id = %s",
            [languages[number % len(languages)], page],
        )


def answers_of(conn: Connection, scope: Scope) -> list[list[SearchResult]]:
    return [
        search(conn, vector, question=words, limit=30, scope=scope, per_page=2)
        for question in QUESTIONS
        for vector, words in (
            (None, question),
            (vector_of(question), question),
            (vector_of(question), None),
        )
    ]


@pytest.mark.parametrize("is_analyzed", [True, False])
@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("few_chunks", [2000, 20])
def test_the_answers_of_a_scope_are_the_same_whatever_else_is_indexed(
    connection: Connection, *, is_analyzed: bool, count: int, few_chunks: int
) -> None:
    """Order and scores; in a scope that is read whole, and in one of which samples are counted."""
    connection.execute(
        "CREATE OR REPLACE FUNCTION few_chunks() RETURNS integer LANGUAGE sql IMMUTABLE "
        f"RETURN {int(few_chunks)}".encode()
    )
    run = start_run(connection)
    connection.execute("INSERT INTO organizations (name) VALUES ('own')")
    connection.execute("UPDATE domains SET organization_id = 2")
    fill(run, tuple(tag and f"{tag}-own" for tag in LANGUAGES[:count]), first=1)

    def look() -> list[list[list[SearchResult]]]:
        if is_analyzed:
            connection.execute("ANALYZE")
        return [answers_of(connection, scope) for scope in SCOPES]

    alone = look()
    assert all(any(answers) for answers in alone)
    for change in strangers(connection, LANGUAGES[:count]):
        change()
        assert look() == alone


def strangers(
    conn: Connection, languages: tuple[str | None, ...]
) -> tuple[Callable[[], None], ...]:
    """Add three domains with the same words and others, change them, and remove them."""
    hosts = ("a0.test", "b.test", "c.test")
    runs: list[Run] = []

    def add() -> None:
        runs.extend(start_run(conn, host) for host in hosts)
        for number, run in enumerate(runs):
            fill(run, languages, first=1000 * number, count=90)

    def change() -> None:
        for run in runs:
            fill(run, (*languages, "sv"), first=77, count=120)

    def remove() -> None:
        for host in hosts:
            domains.remove(conn, host)

    return add, change, remove


@pytest.mark.parametrize("question", ["pump", "the pump", "E-4021 pump valve", "nowhere"])
def test_a_sampled_scope_finds_what_its_rare_words_are_in(
    connection: Connection, question: str
) -> None:
    """As many answers as there are, and the best one first, although not all of it is read."""
    run = start_run(connection)
    fill(run, ("en",), first=1, count=120)
    whole = search(connection, question=question, limit=5)
    connection.execute(
        "CREATE OR REPLACE FUNCTION few_chunks() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 20"
    )
    sampled = search(connection, question=question, limit=5)
    assert len(sampled) == len(whole)
    if question.startswith("E-4021"):
        assert sampled[0].chunk_id == whole[0].chunk_id


def test_a_language_is_no_less_searched_because_others_are_there(run: Run) -> None:
    """Every word of the question is asked for in each, however many there are."""
    page, *others = run.save_pages("p", *(f"q{number}" for number in range(19)))
    words = [f"{letter}word" for letter in "abcdefghijkl"]
    run.publish({page: words})
    run.publish({other: [f"nothing {other}"] for other in others})
    for number, other in enumerate(others, 1):
        run.conn.execute(
            "UPDATE page_revisions SET language = %s WHERE page_id = %s", [LANGUAGES[number], other]
        )
    assert {a.text for a in search(run.conn, question=" ".join(words), limit=20)} == set(words)


def test_a_new_domain_is_ranked_well_from_the_first_minute(run: Run) -> None:
    """No statistics are waited for: what is rare counts more at once."""
    pages = run.save_pages(*(f"p{number}" for number in range(30)))
    run.publish({page: [f"common words of {page}"] for page in pages[:-1]})
    run.publish({pages[-1]: ["rare", "common words twice common words"]})
    assert search(run.conn, question="common words rare", limit=1)[0].text == "rare"
