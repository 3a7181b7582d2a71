"""A webhook: JSON by POST, with a secret signed as only who shares it can.

Headers, for whoever receives it:

- ``X-Omni-Timestamp``: when it was sent, in seconds since 1970. Refuse what is minutes old.
- ``X-Omni-Signature``, where there is a secret: ``sha256=`` and the hex HMAC-SHA256, with the
  secret, of the timestamp, a full stop and the body as received. Compare in constant time.
- ``X-Omni-Message``: the message's id. A message may arrive twice; this is how to tell.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from omni_pipeline.domain.alert_messages import Message

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
MAX_ANSWER_READ = 300


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Where messages are posted to: https, or http on loopback; redirects are not followed."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.time

    def post(self, message: Message) -> str | None:
        """Post the message; returns what went wrong, in words, or None for any 2xx."""
        import httpx2  # noqa: PLC0415 - for whoever sends

        try:
            return self._ask(message)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"

    def _ask(self, message: Message) -> str | None:
        import httpx2  # noqa: PLC0415 - as above

        body = encode(message)
        timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        with (
            httpx2.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream(
                "POST", self.url, content=body, headers=self._headers(message, body)
            ) as answer,
        ):
            if answer.is_success:
                return None
            said = next(answer.iter_bytes(MAX_ANSWER_READ), b"")
            return f"HTTP {answer.status_code} {said.decode(errors='replace')}".strip()

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        timestamp = str(int(self.clock()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "omni_pipeline",
            "X-Omni-Message": message.id,
            "X-Omni-Timestamp": timestamp,
        }
        if self.secret:
            headers["X-Omni-Signature"] = f"sha256={sign(self.secret, timestamp, body)}"
        return headers


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body sent at that time, in hex."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def encode(message: Message) -> bytes:
    """The message as JSON; ASCII, so that nothing on its way can read it differently."""
    return json.dumps({"version": 1, **asdict(message)}, default=str).encode()
