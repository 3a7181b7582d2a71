"""What a chat endpoint may answer about a page; behaviours of an `EmbeddingServer`."""

import json
from typing import Any

from omni_pipeline_tests.embedding_server import Behaviour, Exchange

NOTHING: dict[str, str | None] = dict.fromkeys(("name", "price", "sku", "brand", "availability"))


def says(**values: str | None) -> Behaviour:
    """An answer of the form that was asked for."""
    return says_exactly(json.dumps(NOTHING | values))


def says_exactly(content: str | None, **message: Any) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        choice = {"index": 0, "finish_reason": "stop", "message": {"content": content, **message}}
        usage = {"prompt_tokens": 700, "completion_tokens": 40, "total_tokens": 740}
        exchange.send(200, {"object": "chat.completion", "choices": [choice], "usage": usage})

    return behave
