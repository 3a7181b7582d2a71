"""The shape of the package: who may know whom, one word per thing, thin asset shells."""

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "omni_pipeline"
ASSETS = (
    *("raw_pages", "cleaned_pages", "chunks", "embeddings"),
    *("products", "price_snapshots", "companies"),
)
LONGEST_SHELL_LINES = 12


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    script = "from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-c", script, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_contracts_are_kept() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("domain/hashing.py", "import omni_pipeline.store.index.chunks"),
        ("steps/run/claimed_refresh.py", "import dagster"),
        ("domain/hashing.py", "import psycopg"),
        ("store/index/chunks.py", "import omni_pipeline.gateways.http.client"),
        ("settings.py", "import omni_pipeline.domain.web.urls"),
        ("domain/web/urls.py", "import omni_pipeline.domain.crawl.scope"),
        ("steps/run/lease.py", "import omni_pipeline.steps.crawl.raw_pages"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "omni_pipeline")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = tmp_path / "omni_pipeline" / module
    planted.write_text(f"{planted.read_text()}\n{line}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0, f"{line} in {module} was not caught"


@pytest.mark.parametrize("asset", ASSETS)
def test_one_word_names_asset_step_store_and_sql(asset: str) -> None:
    for layer, suffix in (("steps", "py"), ("store", "py"), ("store", "sql")):
        assert list((PACKAGE / layer).rglob(f"{asset}.{suffix}")), (layer, suffix)
    migrations = "\n".join(path.read_text() for path in (ROOT / "migrations").glob("*.sql"))
    assert f"CREATE TABLE {asset} (" in migrations
    assert asset in _asset_functions()


@pytest.mark.parametrize("asset", ASSETS)
def test_an_asset_body_is_a_thin_shell(asset: str) -> None:
    """No asset body above 12 lines, and no decision in it."""
    function = _asset_functions()[asset]
    body = [node for node in function.body if not _is_docstring(node)]
    end = body[-1].end_lineno
    assert end is not None
    assert end - body[0].lineno + 1 <= LONGEST_SHELL_LINES
    assert not [node for node in ast.walk(function) if isinstance(node, ast.If | ast.For)]


def _asset_functions() -> dict[str, ast.FunctionDef]:
    modules = (PACKAGE / "defs").rglob("*assets.py")
    body = [node for module in modules for node in ast.parse(module.read_text()).body]
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_no_sql_is_formatted_from_values() -> None:
    """S-54: values travel as parameters; no f-string stands in a call that executes SQL."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("execute", "copy"):
                formatted = [arg for arg in node.args if isinstance(arg, ast.JoinedStr)]
                assert not formatted, f"{path}:{node.lineno}"


def test_one_path_leads_from_text_to_stored_vectors() -> None:
    """R-A7: one client speaks to embedding endpoints, and one step writes what it answers."""
    sources = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    callers = {
        name
        for name, text in sources.items()
        if re.search(r"^\s*(from|import) openai", text, re.MULTILINE)
    }
    speakers = {name for name, text in sources.items() if "client.embeddings." in text}
    askers = {name for name, text in sources.items() if "chat.completions." in text}
    writers = {name for name, text in sources.items() if "embeddings.stage(" in text}
    assert speakers == {"gateways/embedding/openai_client.py"}
    assert askers == {"gateways/llm/openai_client.py"}, "asks about products"
    # What says why a request failed, and what makes the client; neither asks.
    others = {"gateways/openai/failures.py", "gateways/openai/endpoint.py"}
    assert callers == speakers | askers | others
    assert writers == {"steps/index/budgeted_embedding.py"}


MAX_MODULES = 25
MAX_LINES = 300


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def test_no_folder_is_a_hall_and_no_file_a_book() -> None:
    halls = Counter(path.parent for path in modules())
    assert {folder.name: n for folder, n in halls.items() if n > MAX_MODULES} == {}
    lengths = {str(path): len(path.read_text().splitlines()) for path in modules()}
    assert {path: n for path, n in lengths.items() if n > MAX_LINES} == {}


def test_every_package_says_what_lives_in_it() -> None:
    for package in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(package.read_text())), package


def test_no_file_name_stands_in_two_layers_unless_it_is_an_assets() -> None:
    layers: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        layers[path.stem].add(path.relative_to(PACKAGE).parts[0])
    assert {n: ls for n, ls in layers.items() if len(ls) > 1 and n not in ASSETS} == {}


def test_no_file_name_repeats_its_folders() -> None:
    """`crawl/frontier.py`, not `crawl/crawl_frontier.py`; an asset keeps its name."""
    assert [
        str(path)
        for path in modules()
        if path.stem.startswith(f"{path.parent.name}_") and path.stem not in ASSETS
    ] == []


def test_no_class_name_means_two_things() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(f"{path.name}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
