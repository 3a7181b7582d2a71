"""Browser mode against Crawlee's PlaywrightCrawler: pages per CPU second of the whole process tree.

    python -m benchmarks.render /usr/share/doc/python3/html --peers-python PEERS/bin/python

Ours is the crawl step with `--render browser` and its rows in Postgres; Crawlee renders, follows
links and throws the pages away. Both use the same Chromium with as many tabs, and take turns. What
the tree costs is counted from before Chromium starts until it is closed, weighing it left out.
"""

import argparse
import statistics
from pathlib import Path

from benchmarks.contenders import CRAWLEE, Report, run_ours, run_peer
from benchmarks.site_process import serve
from omni_pipeline.gateways.browser.client import find_browser

# The tabs that a domain's browser has.
TABS = 2


def show(name: str, report: Report) -> None:
    print(
        f"  {name}: {report['pages']:.0f} pages in {report['seconds']:.1f} s, "
        f"{report['cpu_seconds']:.1f} CPU-s: {speed(report):.2f} pages per CPU-s, "
        f"peak of the tree {report['peak_tree_megabytes']:.0f} MB",
        flush=True,
    )


def speed(report: Report) -> float:
    return report["pages"] / report["cpu_seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a site of static HTML")
    parser.add_argument("--peers-python", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    pages, tabs = str(given.pages), str(TABS)
    ours: list[float] = []
    theirs: list[float] = []
    with serve("folder", given.folder) as url:
        for _ in range(given.rounds):
            options = ("--page-limit", pages, "--concurrency", tabs, "--weigh-tree")
            (report,) = run_ours(url, "--render", "browser", *options)
            show("ours", report)
            ours.append(speed(report))
            command = (CRAWLEE, f"{url}/", pages, tabs, str(find_browser(None)))
            report = run_peer(given.peers_python, *command)
            show("Crawlee", report)
            theirs.append(speed(report))
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"ours / Crawlee = {ratio:.2f} x in pages per CPU second (medians of {given.rounds})")


if __name__ == "__main__":
    main()
