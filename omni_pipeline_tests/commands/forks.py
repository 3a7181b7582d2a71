"""Runs `omni` in forks of one process that has imported it: `python -m ... forks`.

Most commands are done sooner than Python has imported Dagster. What a fork inherits is imported
modules only; environment, folder, arguments and output are each its own.
"""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

# The commands' own, and what they import only once they need it.
MODULES = (
    "omni_pipeline.cli",
    "omni_pipeline.definitions",
    "omni_pipeline.defs.instance.storage",
    "omni_pipeline.gateways.embedding.openai_client",
    "omni_pipeline.gateways.embedding.local_endpoint",
    "dagster._daemon.daemon",
    "dagster_postgres",
    "playwright.async_api",
    "psycopg2.extras",
    "rich._emoji_codes",
)

# What modules read while they are imported; who has other values needs a process of its own.
IMPORTED_WITH = {"COLUMNS": "200"}
READ_BY_IMPORTS = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TERM", "OMNI_FRESH_HOURS", "OMNI_FAULTS")

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class ForkServer:
    """The process that forks, as the tests use it."""

    def __init__(self, root: Path) -> None:
        environment = {"PATH": os.environ["PATH"], **IMPORTED_WITH, **ONE_THREAD}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    @staticmethod
    def suits(environment: Mapping[str, str]) -> bool:
        read = {name: environment[name] for name in READ_BY_IMPORTS if name in environment}
        return read == IMPORTED_WITH

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, seconds: int
    ) -> "Fork":
        """What takes longer than ``seconds`` dies of SIGALRM."""
        folder = TemporaryDirectory()
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": folder.name,
            "seconds": seconds,
        }
        return Fork(self, self.ask(request), folder)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, seconds: int
    ) -> "subprocess.CompletedProcess[str]":
        """As ``subprocess.run`` with captured text."""
        fork = self.start(arguments, environment, seconds=seconds)
        output, errors = fork.communicate()
        return subprocess.CompletedProcess(["omni", *arguments], fork.returncode, output, errors)

    def ask(self, request: Mapping[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


class Fork:
    """A command under way, with what the tests need of ``subprocess.Popen``."""

    def __init__(self, server: ForkServer, pid: int, folder: "TemporaryDirectory[str]") -> None:
        self.pid = pid
        self.returncode = 0
        self._server = server
        self._folder = folder

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; what it wrote to standard output and standard error."""
        self.returncode = self._server.ask({"end_of": self.pid})
        with self._folder as folder:
            return Path(folder, "out").read_text(), Path(folder, "err").read_text()


def serve() -> dict[str, object]:
    """Answer requests; returns in the forks only, with what each is to do."""
    for line in sys.stdin:
        request: dict[str, object] = json.loads(line)
        if "end_of" in request:
            _, status = os.waitpid(int(str(request["end_of"])), 0)
            answer = os.waitstatus_to_exitcode(status)
        elif not (answer := os.fork()):
            return request
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    sys.exit()


def become(request: Mapping[str, object]) -> None:
    """Make this fork what a new process would be."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(Path(str(request["folder"]), name), os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    # Where the tests themselves run in the background, it is ignored, and inherited so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(int(str(request["seconds"])))
    sys.argv = ["omni", *request["arguments"]]  # type: ignore[misc]


if __name__ == "__main__":
    for name in MODULES:
        import_module(name)
    gc.freeze()  # a collection in a fork would copy all of it
    become(serve())
    import_module("omni_pipeline.cli").main()
