"""The bill: what each batch of texts cost and saved, and the budgets of a day (UTC).

A batch is booked before it is sent and settled with its answer, so that a run killed in between
hides nothing. Its id makes both repeatable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries
from omni_pipeline.store.postgres.rows import fetch_all, fetch_one

_SQL = load_queries(__name__)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one request batch is known by; price in US dollars, None when unknown."""

    id: UUID
    model: StoredModel
    price_per_million: Decimal | None


@dataclass(frozen=True, kw_only=True)
class ChatBatch:
    """The same of tokens of a chat model: those sent, or those answered."""

    id: UUID
    chat_model: str
    price_per_million: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What became of a batch: paid texts and tokens, and tokens that cost nothing again."""

    requests: int = 0
    texts: int = 0
    tokens: int = 0
    tokens_reused: int = 0


@dataclass(frozen=True, kw_only=True)
class Booking:
    """Whether a batch may be paid for, and what the day's budgets (None: unlimited) hold."""

    is_booked: bool
    of_domain: int | None
    of_all: int | None
    used_by_domain: int
    used_by_all: int

    @property
    def left(self) -> int:
        """Tokens that the narrower of the two budgets still allows; 0 without a budget."""
        budgets = ((self.of_domain, self.used_by_domain), (self.of_all, self.used_by_all))
        return max(0, min((of - used for of, used in budgets if of is not None), default=0))


@dataclass(frozen=True, kw_only=True)
class Total:
    """What was paid and saved. Money in US dollars, of the tokens whose price is known.

    Attributes:
        tokens: Paid for, and those of batches under way, as estimated.
        tokens_reused: Of published chunks that had a vector already.
        cost_usd: None where no price at all is known.
    """

    requests: int
    texts: int
    tokens: int
    tokens_reused: int
    cost_usd: Decimal | None
    saved_usd: Decimal | None
    tokens_without_price: int


@dataclass(frozen=True, kw_only=True)
class Spending(Total):
    """One domain's day."""

    host: str
    day: date


def total_of(parts: Sequence[Total]) -> Total:
    """All of them together."""
    return Total(
        requests=sum(part.requests for part in parts),
        texts=sum(part.texts for part in parts),
        tokens=sum(part.tokens for part in parts),
        tokens_reused=sum(part.tokens_reused for part in parts),
        cost_usd=_sum_known(part.cost_usd for part in parts),
        saved_usd=_sum_known(part.saved_usd for part in parts),
        tokens_without_price=sum(part.tokens_without_price for part in parts),
    )


def _sum_known(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def book(
    conn: Connection,
    claim: Claim,
    batch: Batch | ChatBatch,
    *,
    tokens: int,
    daily_token_budget: int | None,
) -> Booking:
    """Book the batch, unless the day's budget of its domain, or of all, would be exceeded.

    Args:
        conn: In a transaction; bookings under a budget of all domains wait for one another.
        claim: Whose batch it is.
        batch: Not sent yet.
        tokens: As estimated.
        daily_token_budget: Of all domains together.
    """
    if daily_token_budget is not None:
        conn.execute(_SQL["lock"])
    parameters = {
        **_identity(claim, batch),
        "tokens": tokens,
        "daily_token_budget": daily_token_budget,
    }
    booking = fetch_one(conn, _SQL["book"], parameters, Booking)
    assert booking is not None, "the fence holds the domain's row"
    return booking


def cancel(conn: Connection, _: Claim, batch_id: UUID) -> None:
    """Take a booking back: the endpoint answered nothing."""
    conn.execute(_SQL["cancel"], {"batch_id": batch_id})


def settle(conn: Connection, claim: Claim, batch: Batch | ChatBatch, bill: Bill) -> bool:
    """Write down what the batch came to; False if that was done before: a repeated transaction."""
    parameters = {**_identity(claim, batch), **vars(bill)}
    return bool(conn.execute(_SQL["settle"], parameters).rowcount)


def spent(conn: Connection, host: str | None, *, days: int) -> list[Spending]:
    """What every domain, or one host, paid and saved on the last ``days`` days, today included."""
    return fetch_all(conn, _SQL["spent"], {"host": host, "days": days}, Spending)


def _identity(claim: Claim, batch: Batch | ChatBatch) -> dict[str, object]:
    return {
        **vars(claim),
        "batch_id": batch.id,
        "model_id": batch.model.id if isinstance(batch, Batch) else None,
        "chat_model": batch.chat_model if isinstance(batch, ChatBatch) else None,
        "price_per_million": batch.price_per_million,
    }
