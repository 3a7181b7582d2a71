"""The crawl step against Scrapy on the same site, and an unchanged refresh against the first.

    python -m benchmarks.crawl /usr/share/doc/python3/html --peers-python PEERS/bin/python

Ours is the whole `raw_pages` step with its rows in Postgres; Scrapy follows the same links and
throws the bodies away. They take turns on one site, which a process of its own serves, each round
with a new database. CPU seconds are those of the whole process tree, Postgres included.
"""

import argparse
import statistics
from pathlib import Path

from benchmarks.contenders import SCRAPY, Report, run_ours, run_peer
from benchmarks.site_process import serve

UNCHANGED_PAGES = 1_200


def show(name: str, report: Report) -> None:
    print(
        f"  {name}: {report['pages'] / report['seconds']:.0f} pages/s ({report['pages']:.0f} pages "
        f"in {report['seconds']:.1f} s), {report['cpu_seconds']:.1f} CPU-s, "
        f"peak {report['peak_megabytes']:.0f} MB"
    )


def compare(folder: Path, peers_python: Path, *, rounds: int, concurrency: int) -> None:
    """Ours, Scrapy, Scrapy with unique links, and again."""
    contenders: dict[str, list[Report]] = {"ours": [], "Scrapy": [], "Scrapy, unique links": []}
    with serve("folder", folder) as url:
        for _ in range(rounds):
            options = ("--concurrency", str(concurrency))
            contenders["ours"] += run_ours(url, *options)
            for name, extra in (("Scrapy", ()), ("Scrapy, unique links", ("unique",))):
                command = (SCRAPY, f"{url}/", str(concurrency), *extra)
                contenders[name].append(run_peer(peers_python, *command))
            for name, reports in contenders.items():
                show(name, reports[-1])
    ours = contenders.pop("ours")
    for name, reports in contenders.items():
        print(
            f"ours / {name} = {_speed(ours) / _speed(reports):.2f} x in pages per second, "
            f"{_cpu(reports) / _cpu(ours):.2f} x in pages per CPU second (medians of {rounds})"
        )


def _speed(reports: list[Report]) -> float:
    return statistics.median(report["pages"] / report["seconds"] for report in reports)


def _cpu(reports: list[Report]) -> float:
    return statistics.median(report["cpu_seconds"] / report["pages"] for report in reports)


def repeat(pages: int, model: str) -> None:
    """Two whole refreshes, all four steps, of a site that does not change in between."""
    with serve("pages", pages) as url:
        first, second = run_ours(url, "--whole", "--rounds", "2", model=model)
    print(
        f"unchanged refresh of {second['pages_unchanged']:.0f} pages, {model}: "
        f"{second['seconds']:.2f} s, the first took {first['seconds']:.1f} s: "
        f"{second['seconds'] / first['seconds']:.1%}; WAL {second['wal_bytes'] / 1e6:.2f} MB "
        f"(first {first['wal_bytes'] / 1e6:.0f} MB); {second['chunk_writes']:.0f} chunk writes "
        f"(first {first['chunk_writes']:.0f}); {second['chunks_embedded']:.0f} chunks embedded"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="a site of static HTML")
    parser.add_argument("--peers-python", type=Path, help="has benchmarks/peers/requirements.txt")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--pages", type=int, default=UNCHANGED_PAGES)
    parser.add_argument("--model", default="lexical-hash-384", help="of the unchanged refresh")
    given = parser.parse_args()
    if given.folder and given.peers_python:
        compare(
            given.folder, given.peers_python, rounds=given.rounds, concurrency=given.concurrency
        )
    repeat(given.pages, given.model)


if __name__ == "__main__":
    main()
