"""Several sites refreshed at once by `omni refresh`: do the numbers of each add up?

    python -m benchmarks.three_sites FOLDER FOLDER FOLDER

Without folders it takes what Debian's python3-doc, debian-policy and developers-reference install.
Every URL that a crawl discovered has one outcome; afterwards `omni verify` looks at the invariants.
"""

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contenders import ROOT, environment, own_home
from benchmarks.site_process import serve

FOLDERS = [
    Path("/usr/share/doc/python3/html"),
    Path("/usr/share/doc/debian-policy/policy.html"),
    Path("/usr/share/developers-reference"),
]
OUTCOMES = ("changed", "unchanged", "gone", "failed", "skipped")


def refresh_at_once(urls: list[str], told: dict[str, str]) -> list[dict[str, dict[str, int]]]:
    """One `omni refresh` process for each site; their reports."""
    with ExitStack() as stack:
        runs = [
            stack.enter_context(
                subprocess.Popen(
                    [*omni(), "refresh", f"{url}/", "--json"],
                    cwd=ROOT,
                    env=told,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for url in urls
        ]
        printed = [run.communicate()[0] for run in runs]
    assert not any(run.returncode for run in runs), "a refresh failed"
    return [json.loads(report) for report in printed]


def omni() -> list[str]:
    return [sys.executable, "-m", "omni_pipeline.cli"]


def show(folder: Path, report: dict[str, dict[str, int]]) -> None:
    crawl = report["raw_pages"]
    found = crawl["pages_discovered"]
    numbers = {outcome: crawl[f"pages_{outcome}"] for outcome in OUTCOMES}
    total = sum(numbers.values())
    words = " + ".join(f"{number} {outcome}" for outcome, number in numbers.items())
    verdict = "exact" if total == found else f"NOT EXACT: {found - total:+d}"
    print(f"{folder}: {found} discovered = {words}: {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", default=FOLDERS)
    given = parser.parse_args()
    with own_home() as home, ExitStack() as sites:
        urls = [sites.enter_context(serve("folder", folder)) for folder in given.folders]
        told = environment(home, *urls)
        for url in urls:
            add = ["domains", "add", f"{url}/", "--delay", "0", "--max-pages", "none"]
            subprocess.run(
                [*omni(), *add], cwd=ROOT, env=told, check=True, stdout=subprocess.DEVNULL
            )
        for name in ("first", "second"):
            print(f"{name} refresh of {len(urls)} sites at once")
            for folder, report in zip(given.folders, refresh_at_once(urls, told), strict=True):
                show(folder, report)
            subprocess.run([*omni(), "verify"], cwd=ROOT, env=told, check=True)


if __name__ == "__main__":
    main()
