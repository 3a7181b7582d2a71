"""What a model's tokens cost, as far as it is known without asking anybody."""

from decimal import Decimal
from urllib.parse import urlsplit

from omni_pipeline.settings import OPENAI_URL, EmbeddingSettings

# US dollars for a million input tokens, without the discount for batch jobs:
# https://platform.openai.com/docs/pricing, as of April 2026.
_OPENAI_PRICES = {
    "text-embedding-3-small": Decimal("0.02"),
    "text-embedding-3-large": Decimal("0.13"),
    "text-embedding-ada-002": Decimal("0.10"),
}


def price_per_million(settings: EmbeddingSettings, model: str) -> Decimal | None:
    """US dollars for a million tokens of ``model``; None when nobody has said.

    What ``settings`` say wins. Another endpoint may ask another price for OpenAI's models, so the
    built-in prices hold for OpenAI's own only.
    """
    if settings.is_local:
        return Decimal(0)
    if settings.price_per_million is not None:
        return settings.price_per_million
    host = urlsplit(settings.base_url or OPENAI_URL).hostname
    is_openai = host == urlsplit(OPENAI_URL).hostname
    return _OPENAI_PRICES.get(model) if is_openai else None
