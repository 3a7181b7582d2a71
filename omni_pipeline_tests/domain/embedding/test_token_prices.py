"""What tokens cost: said by a person, built in for OpenAI's own endpoint, else unknown."""

from dataclasses import replace
from decimal import Decimal

import pytest

from omni_pipeline.domain.embedding.token_prices import price_per_million
from omni_pipeline.settings import EmbeddingSettings

OPENAI = EmbeddingSettings(api_key="k")
ELSEWHERE = EmbeddingSettings(base_url="https://embeddings.example.com/v1", api_key="k")


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("text-embedding-3-small", "0.02"),
        ("text-embedding-3-large", "0.13"),
        ("text-embedding-ada-002", "0.10"),
    ],
)
def test_openais_models_have_their_prices_at_openais_endpoint_only(model: str, price: str) -> None:
    """R-C6"""
    explicit = replace(OPENAI, base_url="https://api.openai.com/v1")
    assert price_per_million(OPENAI, model) == price_per_million(explicit, model) == Decimal(price)
    assert price_per_million(ELSEWHERE, model) is None


def test_a_model_that_nobody_priced_is_unknown_and_not_free() -> None:
    assert price_per_million(OPENAI, "text-embedding-9") is None


@pytest.mark.parametrize("settings", [OPENAI, ELSEWHERE])
@pytest.mark.parametrize("price", ["0", "1.5"])
def test_what_the_settings_say_wins(settings: EmbeddingSettings, price: str) -> None:
    said = replace(settings, price_per_million=Decimal(price))
    assert price_per_million(said, "text-embedding-3-small") == Decimal(price)


def test_the_model_inside_the_process_is_free() -> None:
    local = EmbeddingSettings(price_per_million=Decimal(9))
    assert price_per_million(local, "all-MiniLM-L6-v2") == 0
