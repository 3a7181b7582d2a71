"""Measures the index with questions whose answers are known: by meaning, by words, by both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from omni_pipeline.domain.search.metrics import ndcg, recall, reciprocal_rank
from omni_pipeline.domain.search.query import EVERYWHERE, Mode, Scope, SearchQuestion
from omni_pipeline.domain.search.questions import ExpectedAnswer
from omni_pipeline.steps.search.answering import answer
from omni_pipeline.steps.services.model_services import Models
from omni_pipeline.store.postgres.session import Session

MODES: tuple[Mode, ...] = get_args(Mode)
NDCG_AT = 10


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Means over all questions, each 0 to 1; ``recall`` counts the first ``limit`` pages."""

    mode: Mode
    questions: int
    limit: int
    recall: float
    ndcg_at_10: float
    reciprocal_rank: float


def evaluate(
    session: Session,
    models: Models,
    questions: Sequence[ExpectedAnswer],
    *,
    limit: int = 10,
    scope: Scope = EVERYWHERE,
    note: Callable[[], None] = lambda: None,
) -> list[Quality]:
    """Ask every question in every mode, and compare the pages found with those expected.

    Pages are judged, so a question has one answer from each page.

    Args:
        session: Where the index is.
        models: What leads to the embedding client of the active model.
        questions: At least one.
        limit: How many pages recall counts.
        scope: Where to search.
        note: Called after each answer.
    """
    qualities = []
    for mode in MODES:
        ranked = []
        for one in questions:
            question = SearchQuestion(
                text=one.question,
                limit=max(limit, NDCG_AT),
                scope=scope,
                mode=mode,
                per_page=1,
            )
            found = answer(session, models, question)
            ranked.append([hit.url for hit in found])
            note()
        qualities.append(_judge(mode, questions, ranked, limit))
    return qualities


def _judge(
    mode: Mode, questions: Sequence[ExpectedAnswer], ranked: Sequence[Sequence[str]], limit: int
) -> Quality:
    pairs = [(urls, one.urls) for urls, one in zip(ranked, questions, strict=True)]
    count = len(pairs)
    return Quality(
        mode=mode,
        questions=count,
        limit=limit,
        recall=sum(recall(urls, expected, limit=limit) for urls, expected in pairs) / count,
        ndcg_at_10=sum(ndcg(urls, expected, limit=NDCG_AT) for urls, expected in pairs) / count,
        reciprocal_rank=sum(reciprocal_rank(urls, expected) for urls, expected in pairs) / count,
    )
