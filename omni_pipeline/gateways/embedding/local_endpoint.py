"""An OpenAI-compatible endpoint for a local model, as a WSGI app.

Inside a run the openai client calls it without a socket. The pipeline knows one path from text
to vectors and does not see which it is (R-A7).
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from omni_pipeline.domain.embedding.validation import Vectors
from omni_pipeline.gateways.embedding.local_model import LocalModel

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

MAX_REQUEST_BYTES = 16 * 1024 * 1024


class _RefusedError(Exception):
    """Becomes the answer; never leaves this module."""

    def __init__(self, message: str, *, code: str, status: str = "400 Bad Request") -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def make_app(model: LocalModel) -> Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]:
    """A WSGI app that answers ``POST /v1/embeddings`` and ``GET /v1/models`` by ``model``."""

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            status, document = "200 OK", _answer(model, environ)
        except _RefusedError as refused:
            status, document = refused.status, _error_document(refused)
        body = json.dumps(document).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return app


def _answer(model: LocalModel, environ: "WSGIEnvironment") -> dict[str, Any]:
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "POST", "/v1/embeddings":
            return _embed(model, _read_request(environ))
        case "GET", "/v1/models":
            return {"object": "list", "data": [{"object": "model", "id": model.name}]}
        case method, path:
            raise _RefusedError(
                f"{method} {path[:100]}: only POST /v1/embeddings and GET /v1/models.",
                code="not_found",
                status="404 Not Found",
            )


def _read_request(environ: "WSGIEnvironment") -> Mapping[str, Any]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > MAX_REQUEST_BYTES:
        raise _invalid(f"a request of {length} bytes; at most {MAX_REQUEST_BYTES}")
    try:
        request = json.loads(environ["wsgi.input"].read(length))
    except (ValueError, RecursionError):
        raise _invalid("the body is not JSON") from None
    if not isinstance(request, dict):
        raise _invalid("the body is not a JSON object")
    return request


def _embed(model: LocalModel, request: Mapping[str, Any]) -> dict[str, Any]:
    if request.get("model") != model.name:
        raise _RefusedError(
            f"The model {str(request.get('model'))[:80]!r} is not here: {model.name} is.",
            code="model_not_found",
            status="404 Not Found",
        )
    if request.get("dimensions", model.dimensions) != model.dimensions:
        raise _invalid(f"{model.name} has {model.dimensions} dimensions, no others")
    texts = _read_texts(request.get("input"))
    tokens = _count_tokens(model, texts)
    vectors = model.encode(texts)
    return {
        "object": "list",
        "model": model.name,
        "data": _rows(vectors, is_base64=request.get("encoding_format") == "base64"),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _read_texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise _invalid("`input` is neither a text nor a list of texts")
    if not all(isinstance(text, str) and text for text in texts):
        raise _invalid("`input` has an entry that is empty or not a text")
    return texts


def _count_tokens(model: LocalModel, texts: list[str]) -> int:
    counts = [model.count_tokens(text) for text in texts]
    for index, count in enumerate(counts):
        if count > model.max_input_tokens:
            raise _RefusedError(
                f"This model's maximum context length is {model.max_input_tokens} tokens; "
                f"input {index} has {count}.",
                code="context_length_exceeded",
            )
    return sum(counts)


def _rows(vectors: Vectors, *, is_base64: bool) -> list[dict[str, Any]]:
    return [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode()
            if is_base64
            else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]


def _invalid(what: str) -> _RefusedError:
    return _RefusedError(f"Refused: {what}.", code="invalid_request")


def _error_document(refused: _RefusedError) -> dict[str, Any]:
    error = {"message": str(refused), "type": "invalid_request_error", "code": refused.code}
    return {"error": error}
