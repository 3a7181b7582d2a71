"""Counts taken again from the rows after a stage has written them (R-A14)."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.store.index import chunks
from omni_pipeline.store.jobs import domains


@dataclass(frozen=True, kw_only=True)
class CountsReport:
    """Whether the numbers agree, in one line and as numbers.

    Attributes:
        kind: Names it when they do not.
        samples: Some of what is wrong, as rows of equal columns.
    """

    passed: bool
    summary: str
    numbers: dict[str, int]
    kind: str = "permanent.check_failed"
    samples: tuple[Mapping[str, str], ...] = ()


def check_staged_counts(conn: Connection, host: str) -> CountsReport:
    """Every staged revision has as many chunks as it declares."""
    domain = domains.get(conn, host)
    wrong = chunks.staged_with_wrong_counts(conn, domain.id)
    summary = "; ".join(f"{url}: declares {want}, has {found}" for url, want, found in wrong)
    summary += f". `omni refresh {host}` stages them anew" if wrong else ""
    return CountsReport(
        passed=not wrong,
        summary=summary or "Every staged page has the chunks it declares.",
        numbers={"pages_wrong": len(wrong)},
    )


def check_published_counts(conn: Connection, host: str) -> CountsReport:
    """Every published page has as many vectors as chunks, and as many as it declares."""
    domain = domains.get(conn, host)
    wrong = chunks.pages_with_wrong_counts(conn, domain.id)
    counts = chunks.count_published(conn, domain.id)
    summary = "; ".join(
        f"{page.url}: declares {page.declared}, has {page.chunks} chunks and "
        f"{page.embeddings} embeddings"
        for page in wrong
    )
    summary += (
        f". `omni refresh {host}` repairs it and pays only for what is missing" if wrong else ""
    )
    return CountsReport(
        passed=not wrong and counts.chunks == counts.embeddings,
        summary=summary
        or f"{counts.pages} pages, {counts.chunks} chunks, {counts.embeddings} embeddings.",
        numbers={
            "pages": counts.pages,
            "chunks": counts.chunks,
            "embeddings": counts.embeddings,
            "pages_wrong": len(wrong),
        },
    )
