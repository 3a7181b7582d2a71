"""`omni models`: another model without downtime, also when the build is killed (R-C5)."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.embedding_server import (
    DIMENSIONS,
    MODEL,
    EmbeddingServer,
    Exchange,
    vector_of,
)

NEXT = "next-model"

# Small chunks, so that a build takes more than one request.
SMALL = {"OMNI_CHUNK_TOKENS": "32"}


def by_model(exchange: Exchange) -> None:
    name = str(exchange.call.body["model"])
    exchange.answer([vector_of(f"{name}: {text}") for text in exchange.call.texts], model=name)


def run(omni: CommandLine, *arguments: str) -> str:
    result = omni.run(*arguments, **SMALL)
    assert result.returncode == 0, result.stderr
    return result.stdout


def models(omni: CommandLine) -> dict[str, dict[str, object]]:
    return {model["name"]: model for model in json.loads(run(omni, "models", "list", "--json"))}


@pytest.fixture
def indexed(omni: CommandLine, host: str, embedding_server: EmbeddingServer) -> CommandLine:
    """The sample site is indexed with one model, and the next one is registered."""
    embedding_server.otherwise = by_model
    run(omni, "refresh", host)
    run(omni, "models", "add", NEXT, "--dimensions", str(DIMENSIONS))
    embedding_server.calls.clear()
    return omni


def test_from_one_model_to_the_next_and_back(indexed: CommandLine) -> None:
    refused = indexed.run("models", "activate", NEXT)
    assert refused.returncode == 1
    assert f"omni models build {NEXT}" in " ".join(refused.stderr.split())
    built = run(indexed, "models", "build", NEXT)
    assert "1 of 1:" in built
    assert f"is complete: omni models activate {NEXT}" in built
    assert "omni models rollback" in run(indexed, "models", "activate", NEXT)
    assert "is built" in run(indexed, "models", "index", NEXT, "--m", "8")
    assert json.loads(run(indexed, "search", "watering", "--json"))
    listed = models(indexed)
    assert (listed[NEXT]["status"], listed[MODEL]["status"]) == ("active", "previous")
    assert listed[NEXT]["pages_lacking"] == 0
    index = listed[NEXT]["hnsw"]
    assert isinstance(index, dict)
    assert (index["is_valid"], index["options"]) == (True, ["m=8", "ef_construction=128"])
    run(indexed, "models", "rollback")
    assert "is removed" in run(indexed, "models", "drop", NEXT, "--yes")


def test_a_build_killed_in_the_middle_goes_on_without_paying_twice(
    indexed: CommandLine, embedding_server: EmbeddingServer, database: Database
) -> None:
    """R-A19: what was answered before the kill is kept, whatever was under way is asked again."""
    answered: Counter[str] = Counter()

    def answer_two_then_hang(exchange: Exchange) -> None:
        if len(embedding_server.calls) <= 3:  # the pre-flight, and two batches
            note(exchange)
        else:
            exchange.pause(60.0)

    def note(exchange: Exchange) -> None:
        by_model(exchange)
        answered.update(exchange.call.texts)

    embedding_server.otherwise = answer_two_then_hang
    process = indexed.start("models", "build", NEXT, **SMALL)
    wait_until(lambda: len(embedding_server.calls) > 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = len(answered)
    assert before > 64
    embedding_server.otherwise = note
    built = run(indexed, "models", "build", NEXT)
    assert "is complete" in built
    assert set(answered.values()) == {1}
    assert len(answered) > before
    with database.connect() as conn:
        rows = conn.execute(
            "SELECT job_type, status, ended_by FROM crawl_jobs WHERE job_type = 'model_build' "
            "ORDER BY id"
        ).fetchall()
    assert rows == [
        ("model_build", "failed", "reaper"),
        ("model_build", "completed", "worker"),
    ]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
