"""Workers that clean: the same answers, a budget for each page, and nothing left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import psutil
import pytest

from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable
from omni_pipeline.errors import TemporaryError
from omni_pipeline.gateways.cleaning.pool import (
    OVER_BUDGET,
    WORKER_LOST,
    CleaningLimits,
    CleaningPool,
    HereCleaner,
    PageSource,
    open_cleaner,
)

SECONDS = 60.0
SMALL = CleaningLimits(memory_bytes=8 * 1024 * 1024)


def source(html: str, number: int = 0) -> PageSource:
    return PageSource(url=f"https://s.example.test/{number}", html=html)


def article(number: int) -> PageSource:
    return source(
        f'<html lang="en"><title>T{number}</title><meta name="date" content="2024-02-0{number + 1}"'
        f'><p class="breadcrumbs"><a>Up</a></p><main><p>Text {number}.</p></main>',
        number,
    )


def large(paragraphs: int) -> PageSource:
    return source("<main>" + "<p>one word and another</p>" * paragraphs + "</main>")


@pytest.fixture
def pool() -> Iterator[CleaningPool]:
    made = CleaningPool(SMALL, workers=1)
    yield made
    made.close()


def test_workers_say_what_this_process_would_in_the_same_order(pool: CleaningPool) -> None:
    pages = [*(article(number) for number in range(8)), source("<nav>Nothing</nav>")]

    answers = pool.clean(pages)

    assert answers == HereCleaner().clean(pages)
    assert isinstance(answers[0], CleanedPage)
    assert (answers[0].published_on, answers[0].breadcrumbs) == (date(2024, 2, 1), ("Up",))
    assert isinstance(answers[-1], Unreadable)


def test_a_page_that_takes_too_much_memory_fails_alone(pool: CleaningPool) -> None:
    """F-D35: the pool goes on with another worker."""
    answers = pool.clean([article(0), large(150_000), article(1)])

    assert [type(answer) for answer in answers] == [CleanedPage, Unreadable, CleanedPage]
    assert isinstance(answers[1], Unreadable)
    assert answers[1].kind == OVER_BUDGET
    assert "8 MB" in answers[1].reason


def test_a_page_that_takes_too_long_fails_alone() -> None:
    """F-D35: ended by the kernel, which no parser can keep waiting."""
    pool = CleaningPool(CleaningLimits(cpu_seconds=0.02), workers=1)
    answers = pool.clean([article(0), large(60_000), article(1)])
    pool.close()

    assert isinstance(answers[1], Unreadable)
    assert answers[1].kind == OVER_BUDGET
    assert "0.02 s" in answers[1].reason
    assert isinstance(answers[2], CleanedPage)


def test_a_worker_that_somebody_killed_is_replaced(pool: CleaningPool) -> None:
    pool.clean([article(0)])
    [pid] = pool.pids
    os.kill(pid, signal.SIGKILL)

    [answer] = pool.clean([article(1)])

    assert isinstance(answer, CleanedPage)
    assert pool.pids != [pid]


def test_a_page_whose_worker_is_killed_each_time_may_be_read_later(pool: CleaningPool) -> None:
    """The kernel kills for want of memory as well: that is not the page's fault."""
    pool.clean([article(0)])
    is_over = threading.Event()
    killer = threading.Thread(target=_kill_again_and_again, args=(pool, is_over))
    killer.start()
    [answer] = pool.clean([large(20_000)])
    is_over.set()
    killer.join()

    assert isinstance(answer, Unreadable)
    assert answer.kind == WORKER_LOST


def _kill_again_and_again(pool: CleaningPool, is_over: threading.Event) -> None:
    while not is_over.wait(0.001):
        for pid in pool.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_workers_see_nothing_of_the_environment(
    pool: CleaningPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-71: a parser that was broken into has no key to send away."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    pool.clean([article(0)])

    environment = psutil.Process(pool.pids[0]).environ()

    assert set(environment) <= {"PYTHONPATH", "LC_CTYPE"}


def test_closing_ends_the_workers_and_cleaning_after_it_is_refused() -> None:
    pool = CleaningPool(SMALL, workers=2)
    pool.clean([article(number) for number in range(6)])
    pids = pool.pids
    pool.close()

    assert pids
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    with pytest.raises((TemporaryError, RuntimeError)):
        pool.clean([article(0)])


@pytest.mark.parametrize(
    ("total", "largest", "kind"),
    [(10_000, 10_000, HereCleaner), (10**9, 10_000, CleaningPool), (10**7, 10**7, CleaningPool)],
)
def test_a_small_site_does_not_pay_for_workers(total: int, largest: int, kind: type) -> None:
    limits = CleaningLimits(min_bytes=10**8, largest_bytes=10**6)
    with open_cleaner(total_bytes=total, largest_bytes=largest, limits=limits) as cleaner:
        assert type(cleaner) is kind


PARENT = """
import sys, time
from omni_pipeline.gateways.cleaning.pool import CleaningLimits, CleaningPool, PageSource
pool = CleaningPool(CleaningLimits(cpu_seconds=2), workers=2)
pool.clean([PageSource(url="https://s.example.test/", html="<main>Ready now.</main>")] * 4)
print(*pool.pids, flush=True)
pool.clean([PageSource(url="https://s.example.test/", html="<main>" + "<p>w w</p>" * 20_000)] * 50)
"""


def test_no_worker_outlives_a_parent_that_was_killed() -> None:
    """R-A19: kill -9, in the middle of pages."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        time.sleep(0.3)
        parent.kill()
    deadline = time.monotonic() + SECONDS
    while any(_is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert pids


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
