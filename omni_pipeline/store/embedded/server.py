"""A Postgres of our own under one directory, shared by any number of processes.

The last one out turns off the light. Every process that uses the server holds a shared ``flock``
on ``users``; the kernel drops it however the process ends, so a killed user is never counted.
Starting and stopping happen under an exclusive ``flock`` on ``lock``. Whoever releases and finds
that nobody else holds ``users`` stops the server; a server whose users were all killed is adopted
by the next user.
"""

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from omni_pipeline.errors import SettingsError
from omni_pipeline.store.embedded.account import settle
from omni_pipeline.store.embedded.cluster import SUPERUSER, Cluster

DEFAULT_PORT = 5432


class EmbeddedPostgres:
    """One server per ``root``, reached through a unix socket that only its owner can open.

    Args:
        root: The directory that this server belongs to; made when missing.
        tcp_port: Listen on 127.0.0.1 too, with a password. None is the socket alone.
        settings: Postgres settings beside ours; they count when the server is next started.
        os_user: Whom root runs a new server as; see ``embedded_place``.
    """

    def __init__(
        self,
        root: Path,
        *,
        tcp_port: int | None = None,
        settings: Mapping[str, str] | None = None,
        os_user: str | None = None,
    ) -> None:
        self.root = root.expanduser().resolve()
        self.tcp_port = tcp_port
        self._settings = dict(settings or {})
        self._os_user = os_user
        self._mutex = threading.Lock()
        self._uses = 0
        self._users: int | None = None

    @cached_property
    def cluster(self) -> Cluster:
        self.root.mkdir(parents=True, exist_ok=True)
        listen = "" if self.tcp_port is None else "127.0.0.1"
        return Cluster(
            place=settle(self.root, self._os_user),
            port=self.tcp_port or DEFAULT_PORT,
            settings={"listen_addresses": listen, **self._settings},
        )

    def acquire(self) -> Self:
        """Return once the server answers; it stays up at least until the matching ``release``.

        Also revives a server that died while in use.
        """
        with self._mutex, self._sole_change() as lock:
            users = self._open("users") if self._users is None else self._users
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                self.cluster.create(lock)
                self.cluster.start()
                if self.tcp_port is not None:
                    self._set_password()
            except BaseException:
                if self._users is None:
                    os.close(users)
                raise
            self._users = users
            self._uses += 1
        return self

    def release(self) -> None:
        """End one use; the last user of all processes stops the server."""
        with self._mutex:
            self._uses = max(self._uses - 1, 0)
            if self._uses or self._users is None:
                return
            users, self._users = self._users, None
            # Closed, not unlocked: a forked child that shares this file keeps its use.
            os.close(users)
            with self._sole_change():
                if self._is_unused():
                    self.cluster.stop()

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def is_running(self) -> bool:
        return self.cluster.is_answering()

    def url(self, database: str, *, driver: str | None = None) -> str:
        """A URL over the unix socket; ``driver`` is SQLAlchemy's, for example ``psycopg2``."""
        return self.cluster.url(database, driver)

    def tcp_url(self, database: str) -> str:
        """A URL over TCP, password included; needs ``tcp_port`` and an acquired server."""
        password = self._password_file.read_text()
        host = f"127.0.0.1:{self.tcp_port}"
        return f"postgresql://{SUPERUSER}:{password}@{host}/{quote(database, safe='')}"

    @property
    def _password_file(self) -> Path:
        return self.root / "password"

    def _set_password(self) -> None:
        if not self._password_file.exists():
            with os.fdopen(self._open("password"), "w") as file:
                file.write(secrets.token_urlsafe(18))
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(SUPERUSER), sql.Literal(self._password_file.read_text())
                )
            )

    @contextmanager
    def _sole_change(self) -> Iterator[int]:
        self.root.mkdir(parents=True, exist_ok=True)
        lock = self._open("lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock
        finally:
            os.close(lock)

    def _is_unused(self) -> bool:
        users = self._open("users")
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(users)
        return True

    def _open(self, name: str) -> int:
        try:
            return os.open(self.root / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except PermissionError as error:
            raise SettingsError(
                f"{self.root / name} belongs to another OS user, and so does the server in "
                "there: run as that user, or set OMNI_HOME to a directory of your own."
            ) from error
