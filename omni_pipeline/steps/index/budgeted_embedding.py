"""Buying vectors: ordered, booked against the day's budget, asked for, kept and settled as one.

Nothing here holds a transaction while the endpoint is asked. A text that another run of the
organization asks for is waited for; nothing is held meanwhile, so that no two runs wait for each
other. The model inside this process costs nothing, so it is neither ordered nor booked.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from typing import Protocol
from uuid import uuid4

import numpy as np
from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.embedding.batching import plan_batches
from omni_pipeline.domain.embedding.drift import Vectors, describe_drift
from omni_pipeline.domain.embedding.token_prices import price_per_million
from omni_pipeline.errors import OmniError, TemporaryError
from omni_pipeline.gateways.embedding.client import (
    REQUEST_ITEMS,
    REQUEST_TOKENS,
    UNUSABLE_VECTOR,
)
from omni_pipeline.gateways.embedding.results import Embedded, Refusal
from omni_pipeline.steps.index.liveness import Liveness
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.index import embedding_orders, embeddings, unusable_embeddings
from omni_pipeline.store.index.chunks import TextToEmbed
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Claim, Counters
from omni_pipeline.store.usage import token_usage
from omni_pipeline.store.usage.token_usage import Batch, Bill, Booking

# While another run asks for the same text. An answer takes about as long.
SECONDS_BETWEEN_LOOKS = 0.5


class Embedder(Protocol):
    """What this step needs of the embedding client."""

    def embed(self, texts: Sequence[str], *, tokens: Sequence[int] | None = None) -> Embedded: ...


class BudgetError(TemporaryError):
    """The day's token budget is used up; tomorrow there is a new one."""

    kind = "transient.budget"


@dataclass(frozen=True, kw_only=True)
class Order:
    """Texts that are this run's to ask for, and those that another run asks for."""

    mine: list[TextToEmbed]
    others: list[TextToEmbed]


class BudgetedEmbedder:
    """What one refresh buys of one model.

    Attributes:
        tokens: Paid for.
        bought: The texts whose vectors this run has bought itself, by hash.
    """

    def __init__(
        self,
        refresh: Refresh,
        model: StoredModel,
        client: Embedder,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tokens = 0
        self.bought: set[bytes] = set()
        self._sleep = sleep
        self._refresh = refresh
        self._settings = refresh.settings.embedding
        self._model = model
        self._client = client
        self._price = price_per_million(self._settings, model.name)

    def cost_usd(self) -> float | None:
        """What was paid so far; None when the price is unknown."""
        return None if self._price is None else float(self.tokens * self._price / 10**6)

    def new_batch(self) -> Batch:
        """The identity under which one transaction is booked, however often it is repeated."""
        return Batch(id=uuid4(), model=self._model, price_per_million=self._price)

    def requests(self, texts: list[TextToEmbed]) -> Iterator[list[TextToEmbed]]:
        """Batches for one request each; none larger than what the endpoint takes in a minute."""
        per_minute = self._settings.tokens_per_minute or REQUEST_TOKENS
        batches = plan_batches(
            [text.token_count for text in texts],
            max_items=REQUEST_ITEMS,
            max_tokens=min(REQUEST_TOKENS, per_minute),
        )
        for batch in batches:
            yield [texts[index] for index in batch]

    def refused_before(self, texts: list[TextToEmbed]) -> dict[bytes, Refusal]:
        """The texts that were bought in vain often enough, by hash; not those to be paid anew."""
        hashes = [text.text_hash for text in texts if not text.is_reembed]
        known = self._refresh.read(unusable_embeddings.given_up, self._model, hashes)
        return {
            text_hash: Refusal(
                index=0,
                kind=UNUSABLE_VECTOR,
                reason=f"{reason} It was bought {unusable_embeddings.MAX_TIMES} times in vain, "
                f"and is left alone for {unusable_embeddings.LEFT_ALONE_DAYS} days.",
            )
            for text_hash, reason in known.items()
        }

    def embed_within_budget(self, texts: list[TextToEmbed]) -> dict[bytes, Refusal]:
        """Have the vectors of one request kept; returns the refused texts by their hash.

        Raises:
            BudgetError: The day's budget is used up; what it still allowed was bought.
            OmniError: The endpoint failed; what it had answered before was kept.
        """
        if self._settings.is_local:
            return self._pay(texts)
        refused: dict[bytes, Refusal] = {}
        liveness = Liveness(self._refresh.settings.lease_seconds)
        while texts:
            order = self._refresh.write(_order, self._model, texts, given_up=liveness.given_up)
            if order.mine:
                refused |= self._pay(order.mine)
            texts = order.others
            if texts:
                self._sleep(SECONDS_BETWEEN_LOOKS)
                liveness.look(self._refresh.read(_askers, self._model, texts))
        return refused

    def _pay(self, texts: list[TextToEmbed]) -> dict[bytes, Refusal]:
        """Ask for these texts, which nobody else asks for."""
        batch = self.new_batch()
        affordable = texts if self._settings.is_local else self._book(batch, texts)
        answer = self._embed(batch, affordable)
        faults.point("CP07")
        drift = None if self._settings.is_local else self._drift(affordable, answer)
        self._refresh.write(_keep, batch, affordable, answer, drift=drift)
        self.tokens += answer.tokens_billed
        self.bought.update(affordable[index].text_hash for index in _answered(answer))
        if answer.failure:
            raise answer.failure
        refused = {affordable[one.index].text_hash: one for one in answer.refused}
        rest = texts[len(affordable) :]
        return refused | self._pay(rest) if rest else refused

    @cached_property
    def _usual(self) -> Vectors:
        """What vectors of this model were like before anything was bought."""
        return self._refresh.read(embeddings.sample, self._model)

    def _drift(self, texts: list[TextToEmbed], answer: Embedded) -> str | None:
        """How the answer differs from what is stored, unless it is to replace all of that."""
        if any(text.is_reembed for text in texts):
            return None
        return describe_drift(answer.vectors[_answered(answer)], self._usual)

    def _book(self, batch: Batch, texts: list[TextToEmbed]) -> list[TextToEmbed]:
        """Book the texts, or as many of them as the day's budget allows."""
        affordable = texts
        while not (booking := self._ask_budget(batch, affordable)).is_booked:
            totals = accumulate(text.token_count for text in affordable)
            affordable = affordable[: sum(total <= booking.left for total in totals)]
            if not affordable:
                host, tokens = self._refresh.domain.host, texts[0].token_count
                raise BudgetError(_over_budget(booking, host, tokens))
        return affordable

    def _ask_budget(self, batch: Batch, texts: list[TextToEmbed]) -> Booking:
        return self._refresh.write(
            token_usage.book,
            batch,
            tokens=sum(text.token_count for text in texts),
            daily_token_budget=self._refresh.settings.daily_token_budget,
        )

    def _embed(self, batch: Batch, texts: list[TextToEmbed]) -> Embedded:
        try:
            return self._client.embed(
                [text.text for text in texts], tokens=[text.token_count for text in texts]
            )
        except OmniError:
            if not self._settings.is_local:
                self._refresh.write(_cancel, batch, [text.text_hash for text in texts])
            raise


def _over_budget(booking: Booking, host: str, tokens: int) -> str:
    """Which budget, what was used of it, and what to do."""
    of, used = booking.of_domain, booking.used_by_domain
    if of is not None and used + tokens > of:
        whose, remedy = f"of {host}", f"omni domains set {host} --daily-token-budget N"
    else:
        of, used = booking.of_all or 0, booking.used_by_all
        whose, remedy = "of all domains", "set OMNI_DAILY_TOKEN_BUDGET"
    return (
        f"The daily token budget {whose}, {of:,}, stops this refresh: {used:,} tokens were used "
        f"since 00:00 UTC, and the next text takes {tokens:,}. What was published stays and what "
        "was paid for is kept; a refresh after 00:00 UTC goes on from there. To raise the budget: "
        f"{remedy}."
    )


def _order(
    conn: Connection,
    claim: Claim,
    model: StoredModel,
    texts: list[TextToEmbed],
    *,
    given_up: Collection[int],
) -> Order:
    """Sort the texts that have no vector yet. A text to be paid for anew is asked for in any case.

    Looked for after ordering: what another run kept meanwhile need not be asked for.
    """
    new = [text.text_hash for text in texts if not text.is_reembed]
    mine = embedding_orders.order(conn, claim, model, new, given_up=given_up)
    served = embeddings.have_vectors(conn, claim, model, new)
    embedding_orders.release(conn, claim, model, list(mine & served))
    mine = mine - served
    return Order(
        mine=[text for text in texts if text.is_reembed or text.text_hash in mine],
        others=[
            text for text in texts if not text.is_reembed and text.text_hash not in mine | served
        ],
    )


def _askers(
    conn: Connection, claim: Claim, model: StoredModel, texts: list[TextToEmbed]
) -> dict[int, datetime]:
    hashes = [text.text_hash for text in texts]
    return embedding_orders.askers(conn, claim, model, hashes)


def _cancel(conn: Connection, claim: Claim, batch: Batch, text_hashes: list[bytes]) -> None:
    """Nothing was answered: nothing is paid, and whoever waits for these texts may ask."""
    token_usage.cancel(conn, claim, batch.id)
    embedding_orders.release(conn, claim, batch.model, text_hashes)


def _answered(answer: Embedded) -> list[int]:
    """The texts that have a vector, by index."""
    indexes: list[int] = np.flatnonzero(~np.isnan(answer.vectors).any(axis=1)).tolist()
    return indexes


def _keep(
    conn: Connection,
    claim: Claim,
    batch: Batch,
    texts: list[TextToEmbed],
    answer: Embedded,
    *,
    drift: str | None,
) -> None:
    """Keep paid vectors and settle what they cost, together and once."""
    kept = _answered(answer)
    bill = Bill(requests=answer.requests, texts=len(kept), tokens=answer.tokens_billed)
    if not token_usage.settle(conn, claim, batch, bill):
        return  # the answer to an earlier COMMIT of this was lost
    hashes = [texts[index].text_hash for index in kept]
    embeddings.stage(conn, claim, batch.model, hashes, answer.vectors[kept])
    useless = [one for one in answer.refused if one.kind == UNUSABLE_VECTOR]
    reasons = {texts[one.index].text_hash: one.reason for one in useless}
    unusable_embeddings.note(conn, claim, batch.model, reasons)
    unusable_embeddings.forget(conn, claim, batch.model, hashes)
    asked = [text.text_hash for text in texts]
    embedding_orders.release(conn, claim, batch.model, asked)
    crawl_jobs.add_to_counters(
        conn, claim, Counters(chunks_embedded=len(kept), tokens_embedded=answer.tokens_billed)
    )
    if drift:
        crawl_jobs.note_drift(conn, claim, drift)
