"""One question to an OpenAI-compatible endpoint, through the openai client.

Imported only when a client is opened: openai takes a second to import.
"""

from collections.abc import Sequence

import httpx2
import openai

from omni_pipeline.domain.embedding.known_models import EmbeddingModel
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.gateways.embedding.failure_words import describe_failure
from omni_pipeline.gateways.embedding.local_endpoint import make_app
from omni_pipeline.gateways.embedding.local_model import LocalModel
from omni_pipeline.gateways.openai.endpoint import OpenAIEndpoint, open_endpoint
from omni_pipeline.gateways.openai.failures import read_failure
from omni_pipeline.settings import EmbeddingSettings


class OpenAIEmbeddings:
    """Asks once and hands on what came back; retries and checks are the client's."""

    def __init__(self, endpoint: OpenAIEndpoint) -> None:
        self._endpoint = endpoint

    def close(self) -> None:
        self._endpoint.close()

    def send(
        self, texts: Sequence[str], *, model: EmbeddingModel, as_floats: bool = False
    ) -> object:
        """The answer's JSON, not yet checked; vectors in base64 take a third of the bytes.

        Raises:
            OmniError: By what to do next. It holds neither the client's error nor the key.
        """
        endpoint = self._endpoint
        try:
            response = endpoint.client.embeddings.with_raw_response.create(
                model=model.name,
                input=[_encodable(text) for text in texts],
                encoding_format="float" if as_floats else "base64",
                dimensions=model.dimensions if model.is_shortened else openai.omit,
            )
        except openai.APIError as error:
            read = read_failure(error, endpoint.redactor)
            failure = describe_failure(read, place=endpoint.place)
        else:
            who = f"The embedding endpoint {endpoint.place}"
            return endpoint.parse(response.content, who=who, kind="transient.embed_answer")
        raise failure  # not inside `except`: the client's error would travel along as context


def open_remote_client(settings: EmbeddingSettings, *, deadline_seconds: float) -> OpenAIEmbeddings:
    """A client of the endpoint at ``settings.base_url``, or OpenAI's own."""
    return OpenAIEmbeddings(
        open_endpoint(settings.base_url, settings.api_key, deadline_seconds=deadline_seconds)
    )


def open_local_client(model: LocalModel) -> OpenAIEmbeddings:
    """A client of ``model`` in this process: the same requests, without a socket."""
    client = openai.OpenAI(
        base_url="http://local.invalid/v1",  # nobody resolves it
        api_key="none-needed",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.WSGITransport(app=make_app(model))),
    )
    return OpenAIEmbeddings(
        OpenAIEndpoint(client=client, redactor=Redactor(), place="inside this process")
    )


def _encodable(text: str) -> str:
    """Lone surrogates have no UTF-8, and one would fail the whole request."""
    return text.encode(errors="replace").decode()
