"""An OpenAI-compatible embedding endpoint on loopback that fails as it is told to.

    with EmbeddingServer([throttled(retry_after="1")]) as server:   # then it behaves
        ... server.base_url, server.calls, server.texts

Vectors are derived from the texts, so that a test can tell which vector belongs to which text.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MODEL = "test-embedding"
DIMENSIONS = 8


def vector_of(text: str, *, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """The unit vector that the server answers for ``text``."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).standard_normal(dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def texts(self) -> list[str]:
        given = self.body.get("input", [])
        return [given] if isinstance(given, str) else list(given)


Behaviour = Callable[["Exchange"], None]


class Exchange:
    """A call and the ways to answer it."""

    def __init__(
        self, server: "EmbeddingServer", handler: BaseHTTPRequestHandler, call: Call
    ) -> None:
        self.call = call
        self._server = server
        self._handler = handler

    def vectors(self) -> list[NDArray[np.float32]]:
        return [vector_of(text, dimensions=self._server.dimensions) for text in self.call.texts]

    def answer(
        self,
        vectors: Iterable[Any],
        *,
        indexes: Sequence[int] | None = None,
        model: str | None = None,
        as_base64: bool = True,
    ) -> None:
        rows = [_encode(vector) if as_base64 else list(map(float, vector)) for vector in vectors]
        numbers = range(len(rows)) if indexes is None else indexes
        tokens = sum(len(text.split()) for text in self.call.texts)
        self.send(
            200,
            {
                "object": "list",
                "model": self._server.model if model is None else model,
                "data": [
                    {"object": "embedding", "index": index, "embedding": row}
                    for index, row in zip(numbers, rows, strict=True)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            },
        )

    def fail(self, status: int, message: str, *, code: str | None = None, **headers: str) -> None:
        error = {"message": message, "type": "test", "code": code}
        self.send(status, {"error": error}, **headers)

    def send(self, status: int, document: object, **headers: str) -> None:
        body = json.dumps(document).encode()
        self.send_head(status, content_length=str(len(body)), **headers)
        self.write(body)

    def send_head(self, status: int, **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in {"content_type": "application/json", **headers}.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()

    def write(self, body: bytes) -> None:
        self._handler.wfile.write(body)
        self._handler.wfile.flush()

    def hang_up(self) -> None:
        """Close the connection after this exchange."""
        self._handler.close_connection = True

    def pause(self, seconds: float) -> bool:
        """Wait; False when the server is being closed, and this connection with it."""
        self.hang_up()
        return not self._server.closing.wait(seconds)


def _encode(vector: Any) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def ok(exchange: Exchange) -> None:
    exchange.answer(exchange.vectors())


def as_numbers(exchange: Exchange) -> None:
    """Ignores the wish for base64, as some servers do."""
    exchange.answer(exchange.vectors(), as_base64=False)


def failing(status: int, message: str = "no", *, code: str | None = None) -> Behaviour:
    return lambda exchange: exchange.fail(status, message, code=code)


def throttled(**headers: str) -> Behaviour:
    """``retry_after="2"``, or ``retry_after_ms="300"``, as OpenAI sends beside it."""
    return lambda exchange: exchange.fail(429, "slow down", **headers)


def wrong_key(exchange: Exchange) -> None:
    """Echoes the key, as OpenAI does."""
    key = exchange.call.headers["authorization"].removeprefix("Bearer ")
    exchange.fail(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")


def short(exchange: Exchange) -> None:
    exchange.answer(exchange.vectors()[:-1])


def one_too_many(exchange: Exchange) -> None:
    exchange.answer([*exchange.vectors(), vector_of("uninvited")])


def shuffled(exchange: Exchange) -> None:
    count = len(exchange.call.texts)
    order = [(index + 1) % count for index in range(count)]
    vectors = exchange.vectors()
    exchange.answer([vectors[index] for index in order], indexes=order)


def doubled_index(exchange: Exchange) -> None:
    exchange.answer(exchange.vectors(), indexes=[0] * len(exchange.call.texts))


def poisoned(value: float, *, as_base64: bool = True) -> Behaviour:
    """One number of the last vector is ``value``."""

    def behave(exchange: Exchange) -> None:
        vectors = [vector.astype(np.float64) for vector in exchange.vectors()]
        vectors[-1][0] = value
        with np.errstate(over="ignore"):
            exchange.answer(vectors, as_base64=as_base64)

    return behave


def wrong_dimensions(exchange: Exchange) -> None:
    exchange.answer([[*vector, 1.0] for vector in exchange.vectors()])


def mixed_dimensions(exchange: Exchange) -> None:
    *first, last = exchange.vectors()
    exchange.answer([*first, last[:-1]])


def zeros(exchange: Exchange) -> None:
    *first, last = exchange.vectors()
    exchange.answer([*first, last * 0])


def all_zeros(exchange: Exchange) -> None:
    exchange.answer([vector * 0 for vector in exchange.vectors()])


def tiny(exchange: Exchange) -> None:
    """Of a length that half precision does not know."""
    *first, last = exchange.vectors()
    exchange.answer([*first, last * 1e-9])


def without_base64(exchange: Exchange) -> None:
    if exchange.call.body.get("encoding_format") == "base64":
        exchange.fail(400, "encoding_format base64 is not supported")
    else:
        as_numbers(exchange)


def without_index(exchange: Exchange) -> None:
    rows = [{"embedding": list(map(float, vector))} for vector in exchange.vectors()]
    exchange.send(200, {"data": rows})


def with_headers(characters: int) -> Behaviour:
    """As a proxy adds them; none is longer than most servers take."""

    def answer(exchange: Exchange) -> None:
        many = {f"x_trace_{number}": "t" * 1000 for number in range(characters // 1000)}
        rows = [
            {"index": index, "embedding": list(map(float, vector))}
            for index, vector in enumerate(exchange.vectors())
        ]
        exchange.send(200, {"data": rows}, **many)

    return answer


def identical(exchange: Exchange) -> None:
    exchange.answer([vector_of("always")] * len(exchange.call.texts))


def from_model(name: str) -> Behaviour:
    return lambda exchange: exchange.answer(exchange.vectors(), model=name)


def login_page(exchange: Exchange) -> None:
    page = b"<!doctype html><title>Sign in</title>"
    exchange.send_head(200, content_type="text/html", content_length=str(len(page)))
    exchange.write(page)


def cut(exchange: Exchange) -> None:
    """Promises more than it sends."""
    exchange.send_head(200, content_length="100000")
    exchange.write(b'{"object": "list", "data": [')
    exchange.hang_up()


def silent(exchange: Exchange) -> None:
    exchange.pause(30.0)


def dripping_body(exchange: Exchange) -> None:
    exchange.send_head(200, content_length="100000")
    while exchange.pause(0.05):
        exchange.write(b" ")


def dripping_head(exchange: Exchange) -> None:
    exchange.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while exchange.pause(0.05):
        exchange.write(b"z")


def endless(exchange: Exchange) -> None:
    """Far more than any answer; stops when the client hangs up."""
    exchange.hang_up()
    exchange.send_head(200)
    for _ in range(1024):
        exchange.write(b" " * 1024 * 1024)


def compressed(exchange: Exchange) -> None:
    exchange.send_head(200, content_encoding="gzip", content_length="3")
    exchange.write(b"\x1f\x8b\x08")


def redirect(location: str) -> Behaviour:
    return lambda exchange: exchange.fail(307, "over there", location=location)


def refusing(is_refused: Callable[[str], bool], message: str = "input is too long") -> Behaviour:
    """400 for a request with any such text in it; which one, it does not say."""

    def behave(exchange: Exchange) -> None:
        if any(map(is_refused, exchange.call.texts)):
            exchange.fail(400, message)
        else:
            ok(exchange)

    return behave


class EmbeddingServer:
    """Answers the n-th call by the n-th behaviour of ``script``, later ones by ``otherwise``."""

    def __init__(
        self,
        script: Sequence[Behaviour] = (),
        *,
        otherwise: Behaviour = ok,
        model: str = MODEL,
        dimensions: int = DIMENSIONS,
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self.calls: list[Call] = []
        self.closing = threading.Event()
        self._script = list(script)
        self.otherwise = otherwise
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def texts(self) -> list[str]:
        """Every text of every call, in order."""
        return [text for call in self.calls for text in call.texts]

    def __enter__(self) -> Self:
        # Polled often, because closing waits for the next look.
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def script(self, script: Iterable[Behaviour], *, otherwise: Behaviour) -> None:
        """Behave like this from now on."""
        with self._lock:
            self._script, self.otherwise = list(script), otherwise

    def record(self, call: Call) -> Behaviour:
        """Note the call; answers how to behave."""
        with self._lock:
            self.calls.append(call)
            return self._script.pop(0) if self._script else self.otherwise


def _handler_of(server: EmbeddingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else 40 ms pass between head and body

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(path=self.path, headers=headers, body=json.loads(body))
            behave = server.record(call)
            # Some behaviours are there to make the client hang up.
            with suppress(BrokenPipeError, ConnectionResetError):
                behave(Exchange(server, self, call))

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            """Quiet: ``calls`` is the log."""

    return Handler
