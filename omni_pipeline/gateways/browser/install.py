"""Which Chromium this machine has, and what of the environment it may see.

The only reader of the environment beside ``settings``: Playwright's own variables are no settings
of this project, and decide here whether it is safe to start.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from omni_pipeline.errors import PermanentError

# The headless shell is Chromium without its user interface: a third less CPU for each page.
_PLAYWRIGHT_PROGRAMS = (
    "chromium_headless_shell-*/*/headless_shell",
    "chromium_headless_shell-*/*/chrome-headless-shell",
    "chromium-*/*/chrome",
)
_SYSTEM_PROGRAMS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)

# Chromium gets no other variable: API keys and database URLs are nothing for the one program
# here that runs strangers' code.
_INHERITED = (
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "TMPDIR",
    "TZ",
)

# With it Playwright lets pages connect to loopback past the proxy (S-36).
_OPENS_LOOPBACK = "PLAYWRIGHT_DISABLE_FORCED_CHROMIUM_PROXIED_LOOPBACK"


def find_browser(
    executable: Path | None, *, environment: Mapping[str, str] | None = None
) -> Path | None:
    """Find the Chromium to render with, or None.

    Args:
        executable: The one that was set; no other is looked for then.
        environment: Instead of the process's own.
    """
    env = os.environ if environment is None else environment
    if executable is not None:
        found = shutil.which(executable, path=env.get("PATH"))
        return Path(found) if found else None
    return next(_installed(env), None)


def chromium_environment(environment: Mapping[str, str] | None = None) -> dict[str, str | float]:
    """The environment to start Chromium in.

    Raises:
        PermanentError: A variable would let pages reach loopback past the proxy.
    """
    env = os.environ if environment is None else environment
    if env.get(_OPENS_LOOPBACK):
        raise PermanentError(
            f"{_OPENS_LOOPBACK} is set: pages could reach services of this very machine, so no "
            "browser is started. Unset it.",
            kind="permanent.browser_unsafe",
        )
    return {name: env[name] for name in _INHERITED if name in env}


def browser_missing(executable: Path | None) -> PermanentError:
    what = f"OMNI_BROWSER_PATH={executable} is no program" if executable else "there is no Chromium"
    return PermanentError(
        f"{what}, and pages that need JavaScript are rendered by it. Install it with `playwright "
        "install chromium` (on Debian also `apt-get install chromium`), or set OMNI_BROWSER_PATH.",
        kind="permanent.browser_missing",
    )


def _installed(env: Mapping[str, str]) -> Iterator[Path]:
    home = env.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright"
    for pattern in _PLAYWRIGHT_PROGRAMS:
        yield from sorted(Path(home).expanduser().glob(pattern), key=_revision, reverse=True)
    for name in _SYSTEM_PROGRAMS:
        if found := shutil.which(name, path=env.get("PATH")):
            yield Path(found)


def _revision(program: Path) -> int:
    """The number in ``.../chromium-1255/chrome-linux/chrome``: the newest install is last."""
    number = program.parent.parent.name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
