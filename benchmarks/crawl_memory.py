"""Peak memory of the crawl step for a small site and for a large one: does it grow with the site?

The pages are generated, and listed in a sitemap index, so that no limit for endless links applies.
"""

import argparse

from benchmarks.contenders import Report, run_ours
from benchmarks.site_process import serve


def crawl(pages: int) -> Report:
    """A first crawl of so many pages, in a process and with a database of its own."""
    with serve("pages", pages) as url:
        (report,) = run_ours(url, "--render", "http")
    print(
        f"{report['pages_live']:,.0f} pages: peak {report['peak_megabytes']:.0f} MB, "
        f"{report['seconds']:.0f} s, {report['pages'] / report['seconds']:.0f} pages/s, "
        f"{report['cpu_seconds']:.0f} CPU-s",
        flush=True,
    )
    assert report["pages_live"] >= pages, "the crawl left pages out"
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1_200)
    parser.add_argument("--large", type=int, default=50_000)
    given = parser.parse_args()
    small, large = crawl(given.small), crawl(given.large)
    ratio = large["peak_megabytes"] / small["peak_megabytes"]
    print(f"{given.large:,} pages / {given.small:,} pages = {ratio:.2f} x in peak memory")


if __name__ == "__main__":
    main()
