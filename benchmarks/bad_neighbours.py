"""Ten sites at once, three of them bad: what do the other seven lose?

    python -m benchmarks.bad_neighbours

Ten processes crawl ten domains of one database: seven ordinary sites, one that sends a byte a
second, one that links on without end, one whose pages inflate to 100 MB. The time of the seven,
which is that of the slowest, is compared with the seven alone, in turns.

All keep a delay between requests, as polite crawls do, so that the machine has CPU to spare and the
ratio shows what sites do to each other through the database, its locks and the connections. Without
a delay (``--delay 0``) three more processes would mostly show that CPU is shared by ten.
"""

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.contenders import ROOT, environment, our_command, own_home
from benchmarks.site_process import serve
from omni_pipeline.settings import Settings
from omni_pipeline.store.postgres.database import open_database

ORDINARY = 7
BAD = ("drip", "trap", "bomb")
OPTIONS = ("--wait", "--concurrency", "4", "--page-limit", "5000", "--render", "http")

Crawl = subprocess.Popen[str]


@contextmanager
def ready_crawl(url: str, told: dict[str, str], delay: float) -> Iterator[Crawl]:
    """A crawl that has started and opened the database, and waits; ended with the block."""
    command = our_command(url, *OPTIONS, "--delay", str(delay))
    with subprocess.Popen(
        command, cwd=ROOT, env=told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as crawl:
        assert crawl.stdout is not None
        assert crawl.stdout.readline() == "ready\n"
        yield crawl
        crawl.terminate()


def start(crawl: Crawl) -> None:
    assert crawl.stdin is not None
    crawl.stdin.write("\n")
    crawl.stdin.flush()


def time_of_the_seven(pages: int, delay: float, *, bad: tuple[str, ...]) -> tuple[float, float]:
    """Wall seconds until the last of the seven is done, and their CPU seconds together."""
    with own_home() as home, open_database(Settings(home=home)), ExitStack() as stack:
        sites = [stack.enter_context(serve("pages", pages)) for _ in range(ORDINARY)]
        neighbours = [stack.enter_context(serve(kind)) for kind in bad]
        told = environment(home, *sites, *neighbours)
        crawls = [
            stack.enter_context(ready_crawl(url, told, delay)) for url in (*sites, *neighbours)
        ]
        began = time.perf_counter()
        for crawl in crawls:
            start(crawl)
        reports = [json.loads(_line(crawl)) for crawl in crawls[:ORDINARY]]
        seconds = max(report["seconds"] for report in reports)
        assert all(report["pages_live"] >= pages for report in reports)
        running = sum(crawl.poll() is None for crawl in crawls[ORDINARY:])
        print(
            f"  seven sites{' and ' + ', '.join(bad) if bad else ' alone'}: {seconds:.1f} s "
            f"({time.perf_counter() - began:.1f} s with the reading of statistics), "
            f"{running} of {len(bad)} bad ones still running",
            flush=True,
        )
        return seconds, sum(report["cpu_seconds"] for report in reports)


def _line(crawl: Crawl) -> str:
    assert crawl.stdout is not None
    return crawl.stdout.readline()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=100, help="of each ordinary site")
    parser.add_argument("--delay", type=float, default=0.25, help="seconds between two requests")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    alone, crowded = [], []
    for _ in range(given.rounds):
        alone.append(time_of_the_seven(given.pages, given.delay, bad=()))
        crowded.append(time_of_the_seven(given.pages, given.delay, bad=BAD))
    wall = [statistics.median(run[0] for run in runs) for runs in (crowded, alone)]
    cpu = [statistics.median(run[1] for run in runs) for runs in (crowded, alone)]
    print(
        f"the seven with bad neighbours / alone = {wall[0] / wall[1]:.1%} of the time, "
        f"{cpu[0] / cpu[1]:.1%} of the CPU seconds (medians of {given.rounds})"
    )


if __name__ == "__main__":
    main()
