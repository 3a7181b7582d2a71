"""Asking the index from the command line and from Python, and measuring what it answers."""

import json
from pathlib import Path

import pytest

from omni_pipeline.domain.search.query import Scope
from omni_pipeline.sample_site.site_server import SampleServer, read_questions
from omni_pipeline.settings import read_settings
from omni_pipeline.steps.search.answering import open_search
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.commands.test_bad_input import refused

FIELDS = {
    *("chunk_id", "organization", "host", "url", "title", "language", "heading_path", "text"),
    *("last_seen_at", "score", "vector_rank", "distance", "text_rank", "text_score", "trust"),
    *("link", "snippet"),
}


@pytest.fixture
def indexed(omni: CommandLine, host: str) -> CommandLine:
    result = omni.run("refresh", host, "--json")
    assert result.returncode == 0, result.stderr
    return omni


def questions_file(site: SampleServer, path: Path) -> Path:
    lines = [
        json.dumps({"question": one.question, "urls": [f"{site.url}{one.path}"]})
        for one in read_questions()
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_an_index_is_asked_filtered_and_measured(
    indexed: CommandLine, site: SampleServer, tmp_path: Path
) -> None:
    """R-C4: from the command line, for people and for machines, and from Python."""
    question = "calibrate a soil moisture probe"
    answers = json.loads(indexed.run("search", question, "--json", "-k", "3").stdout)
    assert len(answers) == 3
    assert all(set(answer) == FIELDS for answer in answers)
    assert answers[0]["link"].startswith(f"{answers[0]['url']}#:~:text=")
    assert {answer["trust"] for answer in answers} == {"untrusted"}

    shown = indexed.run("search", question, "--mode", "text").stdout
    assert "/docs/sensors.html#:~:text=" in shown
    assert "words 1." in shown
    assert "meaning" not in shown

    docs = ("--url", f"{site.url}/docs/", "--language", "en", "--seen-within", "1h")
    within = json.loads(indexed.run("search", question, *docs, "--json", "-k", "50").stdout)
    assert len(within) > 5
    assert all(answer["url"].startswith(f"{site.url}/docs/") for answer in within)
    nothing = indexed.run("search", question, "--language", "fr")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "fewer options" in nothing.stderr

    file = questions_file(site, tmp_path / "questions.jsonl")
    measured = json.loads(indexed.run("evaluate", str(file), "--json").stdout)
    assert [quality["mode"] for quality in measured] == ["hybrid", "vector", "text"]
    for quality in measured:
        assert 0 <= quality["reciprocal_rank"] <= quality["recall"] <= 1
        assert quality["questions"] == 3
    assert measured[2]["recall"] == 1
    assert "nDCG@10" in indexed.run("evaluate", str(file)).stdout

    with open_search(read_settings(indexed.environment)) as index:
        found = index.ask(question, scope=Scope(url_prefix=f"{site.url}/docs/"), per_page=1)
    assert found[0].url.startswith(f"{site.url}/docs/")
    assert len({answer.url for answer in found}) == len(found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "docs.test/guide"), ["'docs.test/guide'", "https://"]),
        (("--language", "English please"), ["'English please'", "such as de"]),
        (("--seen-within", "soon"), ["--seen-within", "'soon'", "7d"]),
        (("--domain", "unknown.example.com"), ["unknown.example.com", "omni domains add"]),
    ],
)
def test_a_bad_option_is_refused_with_the_remedy(
    omni: CommandLine, database: Database, arguments: tuple[str, ...], words: list[str]
) -> None:
    line = refused(omni, "search", "x", *arguments)
    assert all(word in line for word in words), line


def test_a_file_that_cannot_be_read_is_refused_with_the_remedy(
    omni: CommandLine, tmp_path: Path
) -> None:
    assert "check its path" in refused(omni, "evaluate", str(tmp_path / "nope"))
    broken = tmp_path / "q.csv"
    broken.write_bytes(b"question,url\nx,https://a.test/\n\xff,\n")
    assert "line 3 is not UTF-8" in refused(omni, "evaluate", str(broken))
    broken.write_bytes(b"question,url\nx,nowhere\n")
    line = refused(omni, "evaluate", str(broken))
    assert "q.csv, line 2" in line
    assert "https://docs.example.com" in line
