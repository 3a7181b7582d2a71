"""Starts the contenders of a benchmark, each in a process of its own, and reads what they print."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SCRAPY = "scrapy_crawl.py"
CRAWLEE = "crawlee_render.py"

Report = Mapping[str, float]


@contextmanager
def own_home() -> Iterator[Path]:
    """A folder for one database, which another account than root's must be able to enter."""
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def environment(home: Path, *urls: str, model: str = "lexical-hash-384") -> dict[str, str]:
    """What our processes are told: nothing of this machine's own settings."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("OMNI_")}
    keep.pop("OPENAI_API_KEY", None)
    return keep | {
        "OMNI_HOME": str(home),
        "OMNI_ALLOW_ADDRESSES": " ".join(urlsplit(url).netloc for url in urls),
        "OMNI_EMBEDDING_MODEL": model,
        "OMNI_RECENCY_HOURS": "0",
    }


def our_command(url: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.our_refresh", f"{url}/", *options]


def run_ours(url: str, *options: str, model: str = "lexical-hash-384") -> list[Report]:
    """Refresh with a database of its own; a report for each round."""
    with own_home() as home:
        printed = subprocess.run(
            our_command(url, *options),
            cwd=ROOT,
            env=environment(home, url, model=model),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    return [read_report(line) for line in printed.splitlines()]


def run_peer(python: Path, script: str, *arguments: str) -> Report:
    command = [str(python), str(ROOT / "benchmarks" / "peers" / script), *arguments]
    told = os.environ | {"PYTHONPATH": str(ROOT)}
    printed = subprocess.run(
        command, env=told, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return read_report(printed.splitlines()[-1])


def read_report(line: str) -> Report:
    """One printed line; ``pages`` are those that were fetched."""
    report: dict[str, float] = json.loads(line)
    fetched = report.get("pages_changed", 0) + report.get("pages_unchanged", 0)
    return {"pages": fetched} | report
