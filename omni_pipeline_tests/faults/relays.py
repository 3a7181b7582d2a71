"""A line to Postgres that can be slow, and that can be cut between a COMMIT and its answer."""

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from omni_pipeline.store.postgres.database import Database

_COMMIT = b"COMMIT\x00"


class Relay:
    """Passes bytes between clients and a server's socket, for as long as the block lasts.

    Args:
        database: What is behind it.
        directory: Where its own socket is made.
        delay_seconds: What each message of a client waits.

    Attributes:
        database: The same by way of this relay.
        cuts: How many COMMITs are still to be cut off from their answers.
        is_down: Whether the line is cut for everyone, old and new.
    """

    def __init__(self, database: Database, directory: Path, *, delay_seconds: float = 0.0) -> None:
        parts = conninfo_to_dict(database.url)
        name = f".s.PGSQL.{parts['port']}"
        self._target = str(Path(str(parts["host"])) / name)
        self.database = Database(
            url=f"postgresql://{parts['user']}@/{parts['dbname']}"
            f"?host={quote(str(directory), safe='')}&port={parts['port']}"
        )
        self.cuts = 0
        self.is_down = False
        self._delay_seconds = delay_seconds
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / name))
        self._listener.listen(64)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Cut every line that is open now."""
        with self._lock:
            lines, self._open = self._open, set()
        for end in lines:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def go_down(self) -> None:
        self.is_down = True
        self.cut_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_down:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                with self._lock:
                    self._open |= {client, server}
                line = _Line(self, client, server, self._delay_seconds)
                threading.Thread(target=line.run, daemon=True).start()

    def take_cut(self, message: bytes) -> bool:
        """Whether the answer to this message is to be lost."""
        with self._lock:
            is_cut = self.cuts > 0 and _COMMIT in message
            self.cuts -= is_cut
            return is_cut


class _Line:
    """One client's connection."""

    def __init__(
        self, relay: Relay, client: socket.socket, server: socket.socket, delay_seconds: float
    ) -> None:
        self._relay = relay
        self._client = client
        self._server = server
        self._delay_seconds = delay_seconds
        self._is_cut = False

    def run(self) -> None:
        with self._client, self._server:
            questions = threading.Thread(target=self._pass_questions, daemon=True)
            questions.start()
            self._pass_answers()
            questions.join()

    def _pass_questions(self) -> None:
        with suppress(OSError):
            while message := self._client.recv(65536):
                time.sleep(self._delay_seconds)
                self._is_cut = self._is_cut or self._relay.take_cut(message)
                self._server.sendall(message)
        self._hang_up()

    def _pass_answers(self) -> None:
        with suppress(OSError):
            while answer := self._server.recv(65536):
                if self._is_cut:
                    break  # the server has committed by now, and nobody will know
                self._client.sendall(answer)
        self._hang_up()

    def _hang_up(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
