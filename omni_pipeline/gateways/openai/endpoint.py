"""An OpenAI-compatible endpoint, as everything that asks one reaches it.

Imported only when a client is opened: openai takes a second to import.
"""

import json
from dataclasses import dataclass
from typing import Any

import httpx2
import openai

from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import TemporaryError
from omni_pipeline.gateways.http.dialling import tls_context
from omni_pipeline.gateways.openai.transport import BoundedTransport, Deadline
from omni_pipeline.settings import OPENAI_URL

CONNECT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class OpenAIEndpoint:
    """A client that asks once.

    Attributes:
        redactor: Takes the key out of whatever is said of the endpoint.
        place: Its address, fit to be shown.
    """

    client: openai.OpenAI
    redactor: Redactor
    place: str

    def close(self) -> None:
        self.client.close()

    def parse(self, content: bytes, *, who: str, kind: str) -> Any:
        """The JSON of an answer. The client's own reading accepts anything, and takes longer.

        Raises:
            TemporaryError: Of ``kind``, if it is none; the message begins with ``who``.
        """
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            begin = self.redactor.line(content[:100].decode(errors="replace"), limit=60)
        raise TemporaryError(
            f"{who} answered what is not JSON, beginning with {begin!r}. Check "
            "OMNI_EMBEDDING_BASE_URL if this lasts.",
            kind=kind,
        )


def open_endpoint(
    base_url: str | None, api_key: str | None, *, deadline_seconds: float
) -> OpenAIEndpoint:
    """The endpoint at ``base_url``, or OpenAI's own."""
    url = base_url or OPENAI_URL
    http = httpx2.Client(
        transport=BoundedTransport(
            Deadline(deadline_seconds), tls=tls_context() if url.startswith("https:") else None
        ),
        timeout=httpx2.Timeout(deadline_seconds, connect=CONNECT_SECONDS),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
    )
    # Address and key are explicit: the library would take both from the environment (S-72).
    client = openai.OpenAI(
        base_url=url, api_key=api_key or "none-needed", max_retries=0, http_client=http
    )
    redactor = Redactor(secrets=(api_key,) if api_key else ())
    return OpenAIEndpoint(client=client, redactor=redactor, place=redactor.line(url))
