"""Settings of the chat model: off by default, and never without somebody to ask."""

from decimal import Decimal

import pytest

from omni_pipeline.errors import SettingsError
from omni_pipeline.settings import read_settings

MODEL = {"OMNI_EXTRACTION_MODEL": "chat-1"}


def test_no_chat_model_is_asked_unless_one_is_named() -> None:
    assert read_settings({"OPENAI_API_KEY": "k"}).extraction is None


def test_a_chat_model_is_asked_where_the_embedding_model_is() -> None:
    prices = {
        "OMNI_EXTRACTION_INPUT_PRICE_PER_MILLION_TOKENS": "0.15",
        "OMNI_EXTRACTION_OUTPUT_PRICE_PER_MILLION_TOKENS": "0.60",
    }
    place = {"OMNI_EMBEDDING_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "secret-key"}
    found = read_settings({**MODEL, **place, **prices}).extraction
    assert found is not None
    assert (found.model, found.base_url) == ("chat-1", "http://127.0.0.1:9/v1")
    assert (found.input_price, found.output_price) == (Decimal("0.15"), Decimal("0.60"))
    assert "secret-key" not in repr(found), "S-71"


def test_a_chat_model_without_an_endpoint_is_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match="set OPENAI_API_KEY, or OMNI_EMBEDDING_BASE_URL"):
        read_settings(MODEL)
