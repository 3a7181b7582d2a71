"""Finding Chromium, and what is said when there is none or it does not start (F-E10, S-36)."""

import asyncio
from pathlib import Path

import pytest

from omni_pipeline.domain.web.addresses import AddressPolicy
from omni_pipeline.errors import PermanentError
from omni_pipeline.gateways.browser.client import BrowserRenderer, find_browser
from omni_pipeline_tests.gateways.browser.renderers import any_host, make_renderer, needs_chromium


def _program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def _client(executable: Path) -> BrowserRenderer:
    return BrowserRenderer(
        policy=AddressPolicy(), user_agent="x", allows_host=any_host, executable=executable
    )


def test_playwrights_newest_headless_shell_comes_before_all_others(tmp_path: Path) -> None:
    environment = {"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "pw"), "PATH": str(tmp_path / "bin")}
    found = []
    for place in (
        "bin/google-chrome",
        "bin/chromium",
        "pw/chromium-1255/chrome-linux64/chrome",
        "pw/chromium_headless_shell-998/chrome-linux/headless_shell",
        "pw/chromium_headless_shell-1255/chrome-linux/headless_shell",
    ):
        program = _program(tmp_path / place)
        found.append(find_browser(None, environment=environment) == program)

    assert found == [True] * 5


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    environment = {"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path), "PATH": str(tmp_path)}

    assert find_browser(None, environment=environment) is None


def test_a_browser_that_was_set_is_the_only_one_looked_for(tmp_path: Path) -> None:
    mine = _program(tmp_path / "mine")

    assert find_browser(mine) == mine
    assert find_browser(tmp_path / "missing") is None


def test_a_missing_browser_is_an_error_that_has_the_command(tmp_path: Path) -> None:
    """F-E10."""
    with _client(tmp_path / "missing") as client:
        with pytest.raises(PermanentError, match="playwright install chromium") as caught:
            client.check()
        with pytest.raises(PermanentError):
            asyncio.run(client.render("http://site.test/"))

    assert caught.value.kind == "permanent.browser_missing"
    assert "OMNI_BROWSER_PATH" in str(caught.value)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'error while loading shared libraries: libnss3.so' >&2; exit 127", "libnss3.so"),
        ("exit 0", "does not start"),
    ],
)
def test_a_browser_that_does_not_start_is_an_error_that_says_why(
    tmp_path: Path, script: str, told: str
) -> None:
    """F-E10."""
    program = _program(tmp_path / "broken", f"#!/bin/sh\n{script}\n")
    with _client(program) as client, pytest.raises(PermanentError) as caught:
        client.check()

    assert caught.value.kind == "permanent.browser_broken"
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_chromium
def test_a_browser_that_does_not_start_once_is_started_again(tmp_path: Path) -> None:
    """On a machine where memory or processes were scarce for a moment."""
    mark = tmp_path / "tried"
    script = f"#!/bin/sh\n[ -e {mark} ] || {{ touch {mark}; exit 1; }}\n"
    program = _program(tmp_path / "hesitant", f'{script}exec {find_browser(None)} "$@"\n')
    with _client(program) as client:
        client.check()

    assert mark.exists()


@needs_chromium
def test_a_check_starts_chromium_and_closes_it_again() -> None:
    with make_renderer() as client:
        client.check()

        assert client._pool._current is None


@needs_chromium
def test_a_variable_that_opens_loopback_keeps_the_browser_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S-36."""
    monkeypatch.setenv("PLAYWRIGHT_DISABLE_FORCED_CHROMIUM_PROXIED_LOOPBACK", "1")
    with make_renderer() as client, pytest.raises(PermanentError, match="Unset it") as caught:
        client.check()

    assert caught.value.kind == "permanent.browser_unsafe"
