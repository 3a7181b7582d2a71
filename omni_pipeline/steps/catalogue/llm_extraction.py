"""Asks a chat model about product pages of which the rules made too little; off by default.

Every answer is booked against the day's budget before it is asked for and kept under what was
asked, so that nothing is paid for twice. What goes wrong here costs a page nothing: the products
that the rules found stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol
from uuid import uuid4

from psycopg import Connection

from omni_pipeline.domain.html.page import ParsedPage
from omni_pipeline.domain.products.llm_questions import (
    MAX_ANSWER_TOKENS,
    QUESTION_VERSION,
    Question,
    complete,
    question_on,
)
from omni_pipeline.domain.products.model import Product
from omni_pipeline.errors import LeaseLostError, OmniError, TemporaryError
from omni_pipeline.gateways.llm.client import Reading, estimate_tokens
from omni_pipeline.gateways.llm.refusals import PageRefusedError
from omni_pipeline.settings import ExtractionSettings
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.catalogue import llm_answers
from omni_pipeline.store.catalogue.llm_answers import KeptAnswer, Key
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.usage import token_usage
from omni_pipeline.store.usage.token_usage import Bill, ChatBatch

# An endpoint that refuses this many pages in a row refuses the question, not the pages.
MAX_REFUSALS_IN_A_ROW = 20


class LlmExtractor(Protocol):
    """What this step needs of the client."""

    def ask(self, question: Question) -> Reading: ...


class ReadingBudgetError(TemporaryError):
    """The day's token budget is used up; tomorrow there is a new one."""

    kind = "transient.budget"


@dataclass(kw_only=True)
class ModelReader:
    """What one refresh asks a chat model.

    Attributes:
        pages_asked: Paid for in this refresh.
        stopped_by: Why no more is asked in this refresh; those pages are read again in the next.
    """

    refresh: Refresh
    settings: ExtractionSettings
    client: LlmExtractor
    pages_asked: int = 0
    stopped_by: OmniError | None = None
    _refusals_in_a_row: int = field(default=0, init=False)

    def read(self, page: ParsedPage, found: Sequence[Product]) -> tuple[Product, ...]:
        """The page's products, completed where the rules found too little; prunes the page.

        Raises:
            OmniError: Too little was found, and nobody could be asked.
        """
        question = question_on(page, found)
        if question is None:
            return tuple(found)
        key = Key(
            text_hash=question.text_hash,
            question_version=QUESTION_VERSION,
            model=self.settings.model,
        )
        kept = self.refresh.read(llm_answers.find, key) or self._ask(question, key)
        return complete(found, kept.answer, question) if kept.answer else tuple(found)

    def _ask(self, question: Question, key: Key) -> KeptAnswer:
        if self.stopped_by is not None:
            raise self.stopped_by
        try:
            kept = self._embed_within_budget(question, key)
        except PageRefusedError as error:
            self._refusals_in_a_row += 1
            if self._refusals_in_a_row == MAX_REFUSALS_IN_A_ROW:
                self.stopped_by = error
            raise
        except LeaseLostError:
            raise
        except OmniError as error:
            self.stopped_by = error
            raise
        self._refusals_in_a_row = 0
        return kept

    def _embed_within_budget(self, question: Question, key: Key) -> KeptAnswer:
        """Book, ask, keep and settle; no transaction is open while the model is asked."""
        sent = self._batch(self.settings.input_price)
        answered = self._batch(self.settings.output_price)
        self._book(sent, question)
        try:
            reading = self.client.ask(question)
        except OmniError:
            self.refresh.write(token_usage.cancel, sent.id)
            raise
        self.refresh.write(_keep, key, reading, sent=sent, answered=answered)
        self.pages_asked += 1
        return KeptAnswer(answer=reading.answer)

    def _batch(self, price: Decimal | None) -> ChatBatch:
        return ChatBatch(id=uuid4(), chat_model=self.settings.model, price_per_million=price)

    def _book(self, batch: ChatBatch, question: Question) -> None:
        tokens = estimate_tokens(question) + MAX_ANSWER_TOKENS
        booking = self.refresh.write(
            token_usage.book,
            batch,
            tokens=tokens,
            daily_token_budget=self.refresh.settings.daily_token_budget,
        )
        if not booking.is_booked:
            raise ReadingBudgetError(
                f"The daily token budget leaves {booking.left:,} tokens, and asking "
                f"{self.settings.model} about {question.url} may take {tokens:,}: what the rules "
                "found of it stands, and a refresh after 00:00 UTC asks again."
            )


def _keep(
    conn: Connection,
    claim: Claim,
    key: Key,
    reading: Reading,
    *,
    sent: ChatBatch,
    answered: ChatBatch,
) -> None:
    bill = Bill(requests=reading.requests, texts=1, tokens=reading.input_tokens)
    token_usage.settle(conn, claim, sent, bill)
    token_usage.settle(conn, claim, answered, Bill(tokens=reading.output_tokens))
    llm_answers.keep(conn, claim, key, reading.answer)
