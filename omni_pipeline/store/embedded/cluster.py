"""One Postgres data directory: made, started, watched and stopped without a shell to quote for.

Callers make sure that only one process at a time changes it (see ``embedded_postgres``).
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE, S_ISDIR
from urllib.parse import quote

from psycopg import pq

from omni_pipeline.errors import PermanentError, SettingsError, TemporaryError
from omni_pipeline.proc import read_stat
from omni_pipeline.store.embedded.account import POSTGRES_MAJOR, Place, run_as

SUPERUSER = "postgres"

SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_checkpoints": "off",
    # A killed client's query ends within a second instead of holding its locks until it is done.
    "client_connection_check_interval": "1s",
}

# A socket's whole path must fit sockaddr_un.sun_path: 108 bytes with the closing NUL.
MAX_SOCKET_PATH_BYTES = 107

POLL_SECONDS = 0.02

PRIVATE = 0o700

RETRY_SECONDS = 0.1

# What a log has beside a server's reason to give up: its progress, refusals of our early pings,
# and what the orphans of a killed predecessor still say (errors of a start are FATAL or PANIC).
NOISE = re.compile(
    r"LOG:|WARNING:|warning:|ERROR:|STATEMENT:|CONTEXT:|DETAIL:|HINT:"
    r"|the database system is|terminating connection|canceling |^\t|^\s*$"
)

# What a start meets while the last of a killed postmaster's backends are still leaving.
LEFTOVERS = ("pre-existing shared memory block", "already exists")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    place: Place
    port: int
    settings: Mapping[str, str]

    @property
    def data(self) -> Path:
        return self.place.directory / "data"

    @property
    def log(self) -> Path:
        return self.place.directory / "server.log"

    @property
    def sockets(self) -> Path:
        """The socket directory; long paths, and commas (a separator to libpq), need another."""
        beside_data = self.place.directory / "run"
        length = len(os.fsencode(beside_data / f".s.PGSQL.{self.port}"))
        if length <= MAX_SOCKET_PATH_BYTES and "," not in str(beside_data):
            return beside_data
        digest = sha256(os.fsencode(self.place.directory)).hexdigest()[:16]
        return Path(f"/tmp/omni-pg-{self._owner}-{digest}")  # noqa: S108 - checked before use

    @property
    def _owner(self) -> int:
        return os.geteuid() if self.place.account is None else self.place.account.uid

    def url(self, database: str, driver: str | None = None) -> str:
        """A URL with host and port spelt out, so that ``PGHOST`` and ``PGPORT`` cannot redirect."""
        scheme = "postgresql" if driver is None else f"postgresql+{driver}"
        host = quote(str(self.sockets), safe="")
        return f"{scheme}://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={self.port}"

    def is_answering(self) -> bool:
        if self.postmaster_pid() is None:
            return False
        address = f"{self.url('postgres')}&connect_timeout=2"
        return pq.PGconn.ping(address.encode()) == pq.Ping.OK

    def postmaster_pid(self) -> int | None:
        """The live postmaster's process id.

        ``postmaster.pid`` alone is fooled by a process that got the number after a reboot, and by
        a killed postmaster that nobody reaps, as under many a container's first process.
        """
        pid = _recorded_pid(self.data / "postmaster.pid")
        name, is_alive = _look_up(pid)
        return pid if is_alive and name == "postgres" else None

    def create(self, lock: int) -> None:
        """Make the data directory unless it is there; never leaves half a one.

        Args:
            lock: File descriptor of the lock that guards this cluster. ``initdb`` inherits it, so
                that a killed caller's ``initdb`` keeps others out until it has ended too.
        """
        if (self.data / "PG_VERSION").exists():
            self._check_version()
            return
        for leftover in self.place.directory.glob("data.new-*"):
            shutil.rmtree(leftover)
        fresh = self._make_private(
            Path(tempfile.mkdtemp(prefix="data.new-", dir=self.place.directory))
        )
        self._initdb(fresh, lock)
        fresh.rename(self.data)

    def _check_version(self) -> None:
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != str(POSTGRES_MAJOR):
            raise SettingsError(
                f"{self.data} was made by Postgres {version} and this is Postgres "
                f"{POSTGRES_MAJOR}: dump it with the old version and restore, or remove it to "
                "start empty."
            )

    def _initdb(self, fresh: Path, lock: int) -> None:
        arguments: list[str | Path] = [self.place.programs / "initdb", "--pgdata", fresh]
        arguments += ["--username", SUPERUSER, "--auth-local=trust", "--auth-host=scram-sha-256"]
        # The builtin locale sorts the same on every machine and after every C library update.
        arguments += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self.settings.get("fsync") == "off":
            arguments.append("--no-sync")
        result = run_as(self.place.account, arguments, capture_output=True, pass_fds=[lock])
        if result.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise PermanentError(
                f"Postgres could not make its data directory {self.data}: "
                f"{find_complaint(result.stderr) or 'initdb was killed'}",
                kind="permanent.db_start",
            )

    def start(self, timeout_seconds: float = 60.0) -> None:
        """Return once the server answers, whatever state it was left in.

        Raises:
            PermanentError: The server refuses to start; the message has its own words.
            TemporaryError: It is still starting, recovering or stopping after ``patience_seconds``.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self.is_answering():
            if time.monotonic() > deadline:
                raise TemporaryError(
                    f"Postgres in {self.data} did not answer within {timeout_seconds:g} s: it "
                    f"may still be recovering. Try again; {self.log} tells more.",
                    kind="transient.db_starting",
                )
            if self.postmaster_pid() is None:
                self._launch(deadline)
            time.sleep(POLL_SECONDS)

    def _launch(self, deadline: float) -> None:
        self._make_socket_directory()
        self._remove_stale_locks()
        written_before = self.log.stat().st_size if self.log.exists() else 0
        pid = self._spawn()
        while _look_up(pid)[1] and not self.is_answering() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if _look_up(pid)[1]:
            return
        output = self.log.read_bytes()[written_before:].decode(errors="replace")
        complaint = find_complaint(output)
        if complaint is not None and not any(words in complaint for words in LEFTOVERS):
            raise PermanentError(
                f"Postgres did not start in {self.data}: {complaint} (more in {self.log})",
                kind="permanent.db_start",
            )
        time.sleep(RETRY_SECONDS)  # it was killed, or is to be started again in a moment

    def _spawn(self) -> int:
        # The shell ends at once, so the server becomes nobody's child: it outlives us and is
        # reaped by init. pg_ctl would do the same but pastes paths into shell text unquoted.
        script = 'exec "$@" >&2 & echo $!'
        program: list[str | Path] = [self.place.programs / "postgres", "-D", self.data]
        settings = {
            **SETTINGS,
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "port": str(self.port),
            **self.settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            result = run_as(
                self.place.account,
                ["/bin/sh", "-c", script, "sh", *program, *options],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        return int(result.stdout)

    def _make_socket_directory(self) -> None:
        with suppress(FileExistsError):
            self.sockets.mkdir(mode=PRIVATE)
            self._make_private(self.sockets)
        status = self.sockets.lstat()
        is_private = S_ISDIR(status.st_mode) and S_IMODE(status.st_mode) == PRIVATE
        if not is_private or status.st_uid != self._owner:
            raise SettingsError(
                f"{self.sockets} is not a directory that only the server's OS user can enter (uid "
                f"{self._owner}, mode 0700), so another user could pose as the server: remove it."
            )

    def _make_private(self, directory: Path) -> Path:
        """Hand over a directory that was made just now; never one that was found."""
        if self.place.account is not None:
            os.chown(directory, self.place.account.uid, self.place.account.gid)
        return directory

    def _remove_stale_locks(self) -> None:
        """Remove lock files whose process number now means something else.

        Postgres takes any live process for the holder, an unreaped one and a stranger included.
        Where the process is gone its own check is better: it also looks for orphaned backends.
        """
        for path in (self.data / "postmaster.pid", self.sockets / f".s.PGSQL.{self.port}.lock"):
            pid = _recorded_pid(path)
            if pid is None or _look_up(pid)[0] is not None:
                path.unlink(missing_ok=True)

    def stop(self, timeout_seconds: float = 60.0) -> None:
        """Stop the server: sessions are cut, what was committed is flushed.

        After ``patience_seconds`` this returns with the server still flushing; the next start
        waits for that to end.
        """
        pid = self.postmaster_pid()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)  # "fast" to Postgres
        deadline = time.monotonic() + timeout_seconds
        while _look_up(pid)[1] and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _recorded_pid(path: Path) -> int | None:
    """The process id in the first line of a Postgres lock file, if there is one."""
    try:
        first_line = path.read_text().partition("\n")[0]
    except FileNotFoundError:
        return None
    return int(first_line) if first_line.isdigit() else None


def _look_up(pid: int | None) -> tuple[str | None, bool]:
    """A process's program name, None when there is none, and whether it can still run."""
    if pid is None:
        return None, False
    stat = read_stat(pid)
    return (None, False) if stat is None else (stat.name, stat.is_running)


def find_complaint(output: str) -> str | None:
    """The first line of a Postgres program's output that says why it gave up."""
    lines = (line.strip() for line in output.splitlines() if not NOISE.search(line))
    return next(lines, None)
