"""The bill: each batch once, by day and domain, and never beyond the day's budgets."""

from dataclasses import replace
from decimal import Decimal
from threading import Thread
from uuid import uuid4

import pytest
from psycopg import Connection

from omni_pipeline.errors import UnknownDomainError
from omni_pipeline.store.jobs import domains, reaping
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.usage import token_usage
from omni_pipeline.store.usage.token_usage import Batch, Bill, Booking, Spending, total_of
from omni_pipeline_tests.store.conftest import HOST, Run, count, start_run

PRICE = Decimal("0.13")


def new_batch(run: Run, price: Decimal | None = PRICE) -> Batch:
    return Batch(id=uuid4(), model=run.model, price_per_million=price)


def book(
    run: Run, tokens: int, *, of_all: int | None = None, batch: Batch | None = None
) -> Booking:
    with run.fenced():
        return token_usage.book(
            run.conn,
            run.claim,
            batch or new_batch(run),
            tokens=tokens,
            daily_token_budget=of_all,
        )


def settle(run: Run, batch: Batch, bill: Bill) -> bool:
    with run.fenced():
        return token_usage.settle(run.conn, run.claim, batch, bill)


def booked_tokens(conn: Connection) -> int:
    return count(conn, "SELECT coalesce(sum(tokens), 0) FROM token_usage")


def yesterday(conn: Connection) -> None:
    conn.execute("UPDATE token_usage SET used_at = used_at - interval '1 day'")


# Each batch once


def test_what_was_paid_is_written_down_with_job_model_and_money(run: Run) -> None:
    """R-C6"""
    for tokens in (7, 3_000_000_000):
        assert settle(run, new_batch(run), Bill(requests=1, texts=2, tokens=tokens))
    rows = run.conn.execute(
        "SELECT host, job_id, model_id, requests, texts, tokens, cost_usd FROM token_usage"
    ).fetchall()
    mine = (run.claim.host, run.claim.job_id, run.model.id, 1, 2)
    assert rows == [
        (*mine, 7, Decimal("0.00000091")),
        (*mine, 3_000_000_000, Decimal(390)),
    ]


def test_a_repeated_transaction_settles_once(run: Run) -> None:
    """F-B11: the answer to a COMMIT may be lost, and the work is repeated as a whole."""
    batch = new_batch(run)
    book(run, 90, batch=batch)
    book(run, 90, batch=batch)
    assert booked_tokens(run.conn) == 90
    bill = Bill(requests=1, texts=2, tokens=77)
    assert settle(run, batch, bill)
    assert not settle(run, batch, bill)
    assert booked_tokens(run.conn) == 77


def test_a_killed_run_may_have_paid_and_its_booking_counts(run: Run) -> None:
    book(run, 90)
    reaping.reap(run.conn, lease_seconds=90, dead_job_ids=[run.claim.job_id])
    assert booked_tokens(run.conn) == 90


def test_a_batch_that_was_not_answered_is_taken_back_and_a_paid_one_is_not(run: Run) -> None:
    unanswered, paid = new_batch(run), new_batch(run)
    book(run, 90, batch=unanswered)
    book(run, 10, batch=paid)
    settle(run, paid, Bill(tokens=11))
    for batch in (unanswered, paid):
        token_usage.cancel(run.conn, run.claim, batch.id)
    assert booked_tokens(run.conn) == 11


# Budgets


def test_without_budgets_everything_may_be_booked(run: Run) -> None:
    booking = book(run, 10**12)
    assert booking.is_booked
    assert (booking.of_domain, booking.of_all) == (None, None)


@pytest.mark.parametrize("is_domains", [True, False])
def test_a_budget_is_used_to_its_end_and_not_beyond(run: Run, *, is_domains: bool) -> None:
    """S-53"""
    of_all = None if is_domains else 100
    domains.configure(run.conn, HOST, {"daily_token_budget": 100 if is_domains else None})
    assert book(run, 60, of_all=of_all).is_booked
    refused = book(run, 41, of_all=of_all)
    assert (refused.is_booked, refused.left) == (False, 40)
    assert book(run, 40, of_all=of_all).is_booked
    assert booked_tokens(run.conn) == 100
    yesterday(run.conn)
    assert book(run, 100, of_all=of_all).is_booked, "each day (UTC) has its own"


def test_a_domains_budget_is_its_own_and_that_of_all_is_shared(run: Run) -> None:
    other = start_run(run.conn, "b.test")
    domains.configure(run.conn, HOST, {"daily_token_budget": 100})
    assert book(other, 500, of_all=550).is_booked
    assert book(run, 60, of_all=550).left == 50
    assert book(run, 60, of_all=1000).is_booked


def test_a_budget_that_is_lifted_holds_no_longer(run: Run) -> None:
    domains.configure(run.conn, HOST, {"daily_token_budget": 10})
    assert not book(run, 11).is_booked
    domains.configure(run.conn, HOST, {"daily_token_budget": None})
    assert book(run, 11).is_booked
    with pytest.raises(UnknownDomainError, match=r"nowhere\.test"):
        domains.configure(run.conn, "nowhere.test", {"daily_token_budget": 1})


def test_ten_runs_at_once_do_not_overspend_the_budget_of_all(run: Run, shared: Database) -> None:
    """R-C6: before it overspends, not after."""
    runs = [start_run(run.conn, f"{number}.test") for number in range(10)]

    def spend(mine: Run) -> None:
        with shared.connect() as conn:
            for _ in range(5):
                book(replace(mine, conn=conn), 30, of_all=1000)

    threads = [Thread(target=spend, args=(each,)) for each in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert booked_tokens(run.conn) == 990


# Looking back


def test_money_is_summed_by_domain_and_day(run: Run) -> None:
    """R-C6"""
    other = start_run(run.conn, "b.test")
    settle(run, new_batch(run), Bill(requests=2, texts=3, tokens=1_000_000))
    yesterday(run.conn)
    settle(run, new_batch(run), Bill(requests=1, texts=1, tokens=2_000_000))
    settle(run, new_batch(run), Bill(tokens_reused=500_000))
    settle(other, new_batch(other, price=None), Bill(requests=1, texts=1, tokens=9))

    today, before, unpriced = token_usage.spent(run.conn, None, days=2)
    assert (today.host, today.tokens, today.requests, today.texts) == (HOST, 2_000_000, 1, 1)
    assert (today.cost_usd, today.saved_usd) == (Decimal("0.26"), Decimal("0.065"))
    assert (before.host, before.cost_usd) == (HOST, Decimal("0.13"))
    assert (today.day - before.day).days == 1
    assert (unpriced.host, unpriced.cost_usd, unpriced.tokens_without_price) == ("b.test", None, 9)

    assert token_usage.spent(run.conn, "b.test", days=1) == [unpriced]
    assert [day.host for day in token_usage.spent(run.conn, None, days=1)] == [HOST, "b.test"]


def test_a_total_says_what_it_does_not_know(run: Run) -> None:
    settle(run, new_batch(run), Bill(tokens=1_000_000))
    settle(run, new_batch(run, price=None), Bill(tokens=9))
    days: list[Spending] = token_usage.spent(run.conn, HOST, days=1)
    total = total_of(days)
    assert (total.tokens, total.cost_usd, total.tokens_without_price) == (1_000_009, PRICE, 9)
    assert total_of([]).cost_usd is None
