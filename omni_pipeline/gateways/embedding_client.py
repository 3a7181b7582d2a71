"""One question to an OpenAI-compatible endpoint, through the openai client.

Imported only when a door is opened: openai takes a second to import.
"""

import json
from collections.abc import Sequence

import httpx2
import openai

from omni_pipeline.domain.embedding_models import EmbeddingModel
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import TemporaryError
from omni_pipeline.gateways.embedding_failures import read_failure
from omni_pipeline.gateways.embedding_transport import BoundedTransport, Deadline
from omni_pipeline.gateways.local_endpoint import make_app
from omni_pipeline.gateways.local_model import LocalModel
from omni_pipeline.gateways.web_transport import tls_context
from omni_pipeline.settings import OPENAI_URL, EmbeddingSettings

CONNECT_SECONDS = 10.0


class EmbeddingClient:
    """Asks once and hands on what came back; retries and checks are the door's."""

    def __init__(self, client: openai.OpenAI, redactor: Redactor, *, place: str) -> None:
        self._place = place
        self._client = client
        self._redactor = redactor

    def close(self) -> None:
        self._client.close()

    def ask(self, texts: Sequence[str], *, model: EmbeddingModel) -> object:
        """The answer's JSON, not yet checked.

        Raises:
            OmniError: By what to do next. It holds neither the client's error nor the key.
        """
        try:
            response = self._client.embeddings.with_raw_response.create(
                model=model.name,
                input=[_encodable(text) for text in texts],
                encoding_format="base64",
                dimensions=model.dimensions if model.is_shortened else openai.omit,
            )
        except openai.APIError as error:
            failure = read_failure(error, place=self._place, redactor=self._redactor)
        else:
            # Not by the client's own reading, which accepts anything and takes longer.
            return self._parse(response.content)
        raise failure  # not inside `except`: the client's error would travel along as context

    def _parse(self, content: bytes) -> object:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            begin = self._redactor.line(content[:100].decode(errors="replace"), most=60)
        raise TemporaryError(
            f"The embedding endpoint {self._place} answered what is not JSON, beginning with "
            f"{begin!r}. Check OMNI_EMBEDDING_BASE_URL if this lasts.",
            kind="transient.embed_answer",
        )


def open_remote_client(settings: EmbeddingSettings, *, deadline_seconds: float) -> EmbeddingClient:
    """A client of the endpoint at ``settings.base_url``, or OpenAI's own."""
    base_url = settings.base_url or OPENAI_URL
    tls = tls_context() if base_url.startswith("https:") else None
    http = httpx2.Client(
        transport=BoundedTransport(Deadline(deadline_seconds), tls=tls),
        timeout=httpx2.Timeout(deadline_seconds, connect=CONNECT_SECONDS),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
    )
    redactor = Redactor(secrets=(settings.api_key,) if settings.api_key else ())
    # Address and key are explicit: the library would take both from the environment (S72).
    client = openai.OpenAI(
        base_url=base_url,
        api_key=settings.api_key or "none-needed",
        max_retries=0,
        http_client=http,
    )
    return EmbeddingClient(client, redactor, place=redactor.line(base_url))


def open_local_client(model: LocalModel) -> EmbeddingClient:
    """A client of ``model`` in this process: the same requests, without a socket."""
    client = openai.OpenAI(
        base_url="http://local.invalid/v1",  # nobody resolves it
        api_key="none-needed",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.WSGITransport(app=make_app(model))),
    )
    return EmbeddingClient(client, Redactor(), place="inside this process")


def _encodable(text: str) -> str:
    """Lone surrogates have no UTF-8, and one would fail the whole request."""
    return text.encode(errors="replace").decode()
