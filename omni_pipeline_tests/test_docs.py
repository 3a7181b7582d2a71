"""The documents say what is so: pages made from code, ids, links, commands, variables, paths."""

import ast
import importlib
import inspect
import io
import re
import shlex
import tokenize
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from psycopg import Connection

from tools import reference
from tools.reference import command_line, configuration

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted(file for file in (ROOT / "docs").rglob("*.md") if "_build" not in file.parts)
DOCUMENTS = [*DOCS, *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG"))]
DOCUMENTS += [ROOT / "benchmarks/README.md"]
CODE = ("omni_pipeline", "omni_pipeline_tests", "benchmarks", "tools")
MAX_README_BYTES = 7_000

ID = re.compile(r"(?<![\w-])(?:R-[A-Z]\d{1,2}|F-[A-Z]\d{1,2}|[SPH]-\d{1,2}|I\d\d|CP\d\d)(?!\w)")
RANGE = re.compile(r"(?<![\w-])([RF]-[A-Z]|S-)(\d{1,2})\sto\s\1(\d{1,2})(?!\w)")
# What an id looks like that does not say which list it is of.
BARE_ID = re.compile(r"FAULTS\s[A-Z\d]|(?:^|\(|\b[Ff]aults? )[A-GSP]\d{1,2}(?:[,.:;)]|$)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def prose(file: Path) -> Iterator[str]:
    """Comments and docstrings of a Python file, all of any other."""
    text = file.read_text()
    if file.suffix != ".py":
        yield text
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def code_files() -> Iterator[Path]:
    for folder in (*CODE, "migrations"):
        for suffix in ("py", "sql", "sh"):
            yield from sorted((ROOT / folder).rglob(f"*.{suffix}"))


@cache
def explained_ids() -> set[str]:
    """Those that begin a row of a table of the documents."""
    rows = (row for file in DOCS for row in file.read_text().splitlines() if row.startswith("| "))
    return {found[0] for row in rows if (found := ID.match(row[2:]))}


def cited_ids(text: str) -> set[str]:
    """The ids in a text, each of a range."""
    ids = set(ID.findall(text))
    for kind, first, last in RANGE.findall(text):
        ids.update(f"{kind}{number}" for number in range(int(first), int(last) + 1))
    return ids


@cache
def anchors_of(file: Path) -> set[str]:
    """The anchors of a document's headings, as the generator and code hosts make them."""
    text = FENCE.sub("", file.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def shell_lines(file: Path) -> Iterator[str]:
    """What a reader would type, comments left out."""
    for language, block in FENCE.findall(file.read_text()):
        if language == "sh":
            yield from block.splitlines()
    yield from re.findall(r"`(omni [^`]+)`", file.read_text())


def omni_calls(file: Path) -> Iterator[list[str]]:
    for line in shell_lines(file):
        words = shlex.split(line.replace("…", "X"), comments=True)
        if words[:1] == ["omni"]:
            yield list(takewhile(lambda word: word not in ("&&", "|", ";"), words))


@pytest.mark.parametrize("path", list(reference.pages()), ids=lambda path: path.name)
def test_a_page_that_is_made_from_the_code_is_current(path: Path) -> None:
    assert path.read_text() == reference.pages()[path], "run `make docs`"


def test_every_id_that_code_or_a_document_cites_is_explained() -> None:
    unknown = {
        f"{named(file)}: {id_}"
        for file in [*code_files(), *DOCUMENTS]
        for text in prose(file)
        for id_ in cited_ids(text) - explained_ids()
    }
    assert unknown == set()


def test_every_id_says_which_list_it_is_of() -> None:
    found = [
        f"{named(file)}: {match[0]}"
        for folder in CODE[:2]
        for file in sorted((ROOT / folder).rglob("*.py"))
        for text in prose(file)
        for match in BARE_ID.finditer(text)
    ]
    assert found == []


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= MAX_README_BYTES


@pytest.mark.parametrize("file", DOCUMENTS, ids=named)
def test_links_within_the_project_lead_somewhere(file: Path) -> None:
    for link in LINK.findall(FENCE.sub("", file.read_text())):
        path, _, anchor = unquote(link).partition("#")
        if ":" in path:
            continue
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors_of(target), f"{link} has no such heading"


@pytest.mark.parametrize("file", DOCUMENTS, ids=named)
def test_commands_that_are_named_exist_with_their_options(file: Path) -> None:
    commands: dict[str, Any] = dict(command_line.commands())
    for words in omni_calls(file):
        called = next(
            (name for n in (3, 2) if (name := " ".join(words[:n])) in commands), " ".join(words[:2])
        )
        if re.fullmatch(r"omni ([A-Z]+|-.*)", called):
            continue
        assert called in commands, f"{' '.join(words)}: there is no such command"
        options = {word.partition("=")[0] for word in words if word.startswith("-")}
        known = command_line.options_of(commands[called]) | {"--help"}
        assert options <= known, f"{' '.join(words)}: no {options - known}"


@pytest.mark.parametrize("file", DOCUMENTS, ids=named)
def test_variables_that_are_named_are_read(file: Path) -> None:
    found = set(re.findall(r"\bOMNI_[A-Z_]+\b", file.read_text()))
    assert found <= {*configuration.variables(), "OMNI_"}


@pytest.mark.parametrize("file", DOCUMENTS, ids=named)
def test_paths_that_are_named_exist(file: Path) -> None:
    text = FENCE.sub("", file.read_text())
    folders = "|".join((*CODE, "docs", "migrations"))
    for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", text):
        is_made_up = "what_changes" in path or path.startswith("docs/_build")
        assert is_made_up or (ROOT / path).exists(), path


@pytest.mark.parametrize("file", DOCUMENTS, ids=named)
def test_python_that_is_shown_uses_names_that_exist(file: Path) -> None:
    for language, block in FENCE.findall(file.read_text()):
        if language != "python":
            continue
        sources = ""
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, each.name) for each in node.names)
                sources += inspect.getsource(module)
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert used <= set(re.findall(r"\w+", sources))


def test_every_parameter_of_the_search_function_is_documented(connection: Connection) -> None:
    """What applications call is an interface: it changes here and there, or not at all."""
    row = connection.execute(
        "SELECT proargnames[:pronargs], proargnames[pronargs + 1:] FROM pg_proc"
        " WHERE proname = 'search_chunks'"
    ).fetchone()
    assert row is not None
    page = (ROOT / "docs/reference/database.md").read_text()
    parameters, _, result = page.partition("## Parameters")[2].partition("It returns")
    cells = [line.split("|")[1] for line in parameters.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(row[0])
    assert set(re.findall(r"`(\w+)`", result.partition(".\n")[0])) == set(row[1])


def test_what_is_committed_is_checked_with_the_tools_of_make_lint() -> None:
    makefile = (ROOT / "Makefile").read_text()
    lint = re.search(r"^lint:\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert lint is not None
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    services = re.findall(r"ruff format|ruff check|mypy|lint-imports", lint[1])
    assert len(services) == 4
    assert all(tool in hooks for tool in services)
    build = re.search(r"^BUILD_DOCS = \$\(PYTHON\) (.*)$", makefile, re.MULTILINE)
    assert build is not None
    assert "$(BUILD_DOCS)" in lint[1]
    assert build[1] in hooks
