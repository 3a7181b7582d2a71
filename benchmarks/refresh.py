"""A whole refresh and the one after it: wall time, what it cost, peak memory of its process.

Serves a folder of static HTML on loopback, refreshes it with `omni refresh` in another process,
and refreshes it again as the next day would: nothing is recent, and nothing has changed. Politeness
is off: the site is ours.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from omni_pipeline.sample_site.site_server import SampleServer

ROOT = Path(__file__).resolve().parent.parent
SECONDS_BETWEEN_LOOKS = 0.05
MODELS = {"lexical": "lexical-hash-384", "minilm": "all-MiniLM-L6-v2"}


class Refresher:
    """Runs `omni` with a home of the benchmark's own."""

    def __init__(self, home: Path, url: str, model: str) -> None:
        keep = {name: value for name, value in os.environ.items() if not name.startswith("OMNI_")}
        keep.pop("OPENAI_API_KEY", None)
        self._environment = keep | {
            "OMNI_HOME": str(home),
            "OMNI_ALLOW_ADDRESSES": urlsplit(url).netloc,
            "OMNI_EMBEDDING_MODEL": model,
            "OMNI_RECENCY_HOURS": "0",
        }
        self._url = url

    def omni(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "omni_pipeline.cli", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def refresh(self) -> tuple[float, float, dict[str, dict[str, int]]]:
        """Wall seconds, peak megabytes of the run's process, and its report."""
        command = [sys.executable, "-m", "omni_pipeline.cli", "refresh", self._url, "--json"]
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        peak = watch_peak(process)
        seconds = time.perf_counter() - start
        assert process.returncode == 0, f"the refresh failed with status {process.returncode}"
        assert process.stdout is not None
        return seconds, peak, json.loads(process.stdout.read())


def watch_peak(process: subprocess.Popen[str]) -> float:
    """Wait for a process; the most megabytes that it held, as last seen before it ended.

    Not ``ru_maxrss``: that starts at what this process held when it started the other.
    """
    kilobytes = 0
    while process.poll() is None:
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            seen = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
            kilobytes = max(kilobytes, *map(int, seen), 0)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return kilobytes / 1024


def show(name: str, wall: float, peak: float, report: dict[str, dict[str, int]]) -> None:
    crawl, index = report["raw_pages"], report["embeddings"]
    print(
        f"{name}: {wall:.1f} s, peak {peak:.0f} MB, {crawl['pages_live']} pages, "
        f"{crawl['pages_unchanged']} unchanged, {index['chunks_embedded']} of "
        f"{index['chunks_live']} chunks embedded, {index['pages_published']} pages published"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="a site; default: the sample site")
    parser.add_argument("--model", choices=sorted(MODELS), default="lexical")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="omni-bench-") as folder,
        SampleServer(folder=given.folder) as site,
    ):
        Path(folder).chmod(0o755)
        refresher = Refresher(Path(folder), site.url, MODELS[given.model])
        refresher.omni("domains", "add", f"{site.url}/", "--delay", "0")
        first, peak, report = refresher.refresh()
        show("first refresh", first, peak, report)
        second, peak, report = refresher.refresh()
        show("second refresh", second, peak, report)
        print(f"second / first = {second / first:.2f}")
        print(refresher.omni("verify").strip())


if __name__ == "__main__":
    main()
