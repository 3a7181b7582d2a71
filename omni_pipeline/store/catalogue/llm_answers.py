"""What chat models answered of pages, kept by what they were shown."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.types.json import Jsonb

from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

LlmAnswer = dict[str, str | None]

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class Key:
    """What an answer depends on."""

    text_hash: bytes
    question_version: int
    model: str


@dataclass(frozen=True, kw_only=True)
class KeptAnswer:
    """An answer that was paid for; None where it could not be used."""

    answer: LlmAnswer | None


def find(conn: Connection, claim: Claim, key: Key) -> KeptAnswer | None:
    """The answer to this question, when it was asked before."""
    row = conn.execute(_SQL["find"], {**vars(claim), **vars(key)}).fetchone()
    return None if row is None else KeptAnswer(answer=row[0])


def keep(conn: Connection, claim: Claim, key: Key, answer: LlmAnswer | None) -> None:
    """Keep the answer for the next time."""
    body = None if answer is None else Jsonb(answer)
    conn.execute(_SQL["keep"], {**vars(claim), **vars(key), "answer": body})
