"""What Dagster costs beside a refresh that finds nothing new, and how many of them a day allows.

    python -m benchmarks.orchestration
    python -m benchmarks.orchestration --runs 6 --only "in process" "forked from a warm process"

Sites of one page are refreshed again and again through the real queue: launched as people launch
runs, admitted by a real daemon, four at a time. Counted is the CPU of the whole tree: run workers,
daemon, code server, Postgres and the sites, with what they take while nothing is refreshed: that
share, printed beside it, grows where something else keeps the machine busy. What two cores that do
nothing else could do follows from it, and is rather too low than too high.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import dagster as dg

from benchmarks.contenders import environment, own_home
from benchmarks.process_tree import Stopwatch, adopt_orphans
from benchmarks.site_process import serve
from omni_pipeline.defs.instance.environment import add_partition
from omni_pipeline.settings import read_settings
from omni_pipeline.store.postgres.database import open_database
from omni_pipeline.store.postgres.migrations import migrate
from omni_pipeline_tests.defs.machinery import Machinery, open_machinery

SITES = 4  # as many as the queue admits at once, since it admits one run per domain
CORES = 2
A_DAY = 10_000
# The sensors look every 30 s.
IDLE_SECONDS = 30.0
MINUTES_OF_A_DAY = 1_440


@dataclass(frozen=True, kw_only=True)
class Setup:
    name: str
    job: str = "refresh_domain"
    module: str = "omni_pipeline.definitions"
    is_warm: bool = False


SETUPS = (
    Setup(
        name="a process per step",
        job="refresh_in_processes",
        module="benchmarks.multiprocess_definitions",
    ),
    Setup(name="in process"),
    Setup(name="forked from a warm process", is_warm=True),
)


@contextmanager
def ready(setup: Setup) -> Iterator[Machinery]:
    """Everything that runs beside the runs, over sites of which all was read once."""
    with own_home() as home, ExitStack() as stack:
        urls = [stack.enter_context(serve("pages", 1)) for _ in range(SITES)]
        told = environment(home, *urls)
        os.environ.update(told, OMNI_WARM_RUNS=str(int(setup.is_warm)))
        database = stack.enter_context(open_database(read_settings()))
        with database.connect() as conn:
            migrate(conn)
        hosts = [urlsplit(url).netloc for url in urls]
        machinery = stack.enter_context(open_machinery(database, hosts, module=setup.module))
        for host in hosts:
            add_partition(machinery.instance, host)
        if setup.is_warm:
            machinery.start_run_server()
        for host in hosts:
            machinery.launch(host)
        machinery.start_daemon()
        machinery.wait_for_runs(SITES)
        yield machinery


def measure(setup: Setup, runs: int) -> float:
    """Refresh ``runs`` times, print what it took, and return how many a day allows."""
    with ready(setup) as machinery:
        idle = _idle_cores()
        stopwatch = Stopwatch()
        for number in range(runs):
            machinery.launch(machinery.hosts[number % SITES], job=setup.job)
        records = machinery.wait_for_runs(SITES + runs)
        cost = stopwatch.read()
    failed = sum(r.dagster_run.status is not dg.DagsterRunStatus.SUCCESS for r in records)
    each = cost.cpu_seconds / runs
    bound = 60 * CORES / each
    a_day = bound * MINUTES_OF_A_DAY
    print(
        f"{setup.name:<27} {each:>6.1f} CPU-s a refresh, {60 * runs / cost.seconds:>5.1f} a minute"
        f" here; {CORES} free cores: {bound:>5.1f} a minute, {a_day:>7,.0f} a day"
        f" (idle: {idle:.1%} of a core)"
        + (f"; {failed} of {len(records)} FAILED" if failed else ""),
        flush=True,
    )
    return a_day


def _idle_cores() -> float:
    """How many cores daemon, sensors and servers use while nothing is refreshed."""
    stopwatch = Stopwatch()
    time.sleep(IDLE_SECONDS)
    cost = stopwatch.read()
    return cost.cpu_seconds / cost.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--only", nargs="+", choices=[setup.name for setup in SETUPS])
    told = parser.parse_args()
    adopt_orphans()
    a_day = {
        setup.name: measure(setup, told.runs)
        for setup in SETUPS
        if not told.only or setup.name in told.only
    }
    if default := a_day.get("in process"):
        verdict = "holds" if default >= A_DAY else "FAILS"
        print(f"the default, in process: {default:,.0f} refreshes a day; {A_DAY:,} {verdict}")


if __name__ == "__main__":
    main()
