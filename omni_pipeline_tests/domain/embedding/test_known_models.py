"""Which model the settings mean (R-A13, R-C5), and what is said when they mean none (R-A16)."""

from dataclasses import replace
from decimal import Decimal

import pytest

from omni_pipeline.domain.embedding.known_models import (
    CL100K,
    IN_PROCESS,
    LEXICAL,
    MINILM,
    choose_model,
    endpoint_address,
    settings_for,
)
from omni_pipeline.errors import SettingsError
from omni_pipeline.settings import OPENAI_URL, EmbeddingSettings

LOCAL = EmbeddingSettings()
OPENAI = EmbeddingSettings(api_key="k")
OWN = EmbeddingSettings(base_url="http://127.0.0.1:9/v1")


def test_without_key_and_address_the_local_model_is_used() -> None:
    model = choose_model(LOCAL, has_weights=True)
    assert (model.name, model.dimensions, model.tokenizer) == (MINILM, 384, MINILM)
    assert not model.is_lexical
    assert model.announcement is None


def test_without_weights_vectors_are_lexical_and_this_is_announced() -> None:
    model = choose_model(LOCAL, has_weights=False)
    assert model.name == LEXICAL
    assert model.is_lexical
    assert model.announcement is not None
    assert "not meanings" in model.announcement
    assert "pip install" in model.announcement


def test_weights_that_were_asked_for_by_name_are_not_replaced_by_words() -> None:
    with pytest.raises(SettingsError, match="not installed"):
        choose_model(replace(LOCAL, model=MINILM), has_weights=False)


def test_lexical_vectors_can_be_asked_for() -> None:
    model = choose_model(replace(LOCAL, model=LEXICAL), has_weights=True)
    assert model.is_lexical
    assert model.announcement is not None


def test_a_model_of_others_needs_an_endpoint() -> None:
    with pytest.raises(SettingsError, match="OMNI_EMBEDDING_BASE_URL"):
        choose_model(replace(LOCAL, model="bge-m3"), has_weights=True)


@pytest.mark.parametrize("settings", [OPENAI, OWN])
def test_an_endpoint_without_a_model_name_is_asked_for_the_default(
    settings: EmbeddingSettings,
) -> None:
    model = choose_model(settings, has_weights=True)
    assert (model.name, model.dimensions) == ("text-embedding-3-small", 1536)
    assert (model.max_input_tokens, model.chunk_tokens, model.tokenizer) == (8191, 512, CL100K)


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536), (MINILM, 384)],
)
def test_known_models_need_no_dimension(name: str, dimensions: int) -> None:
    assert choose_model(replace(OWN, model=name), has_weights=True).dimensions == dimensions


def test_an_unknown_model_needs_its_dimension() -> None:
    with pytest.raises(SettingsError, match="OMNI_EMBEDDING_DIMENSIONS"):
        choose_model(replace(OWN, model="bge-m3"), has_weights=True)


def test_an_unknown_model_counts_openai_tokens_and_gets_shorter_chunks() -> None:
    model = choose_model(replace(OWN, model="bge-m3", dimensions=1024), has_weights=True)
    assert (model.dimensions, model.tokenizer, model.chunk_tokens) == (1024, CL100K, 350)


def test_a_model_that_can_shorten_its_vectors_is_asked_to() -> None:
    model = choose_model(replace(OPENAI, dimensions=512), has_weights=True)
    assert model.dimensions == 512
    assert model.is_shortened


@pytest.mark.parametrize(
    "settings",
    [
        replace(OPENAI, dimensions=3000),
        replace(OPENAI, model="text-embedding-ada-002", dimensions=512),
        replace(LOCAL, dimensions=768),
    ],
)
def test_a_dimension_that_the_model_does_not_have_is_refused(settings: EmbeddingSettings) -> None:
    with pytest.raises(SettingsError, match=f"OMNI_EMBEDDING_DIMENSIONS={settings.dimensions}"):
        choose_model(settings, has_weights=True)


def test_chunks_longer_than_the_model_reads_are_refused() -> None:
    model = choose_model(LOCAL, has_weights=True)
    assert model.chunk_capacity(None) == 250
    assert model.chunk_capacity(100) == 100
    with pytest.raises(SettingsError, match=r"OMNI_CHUNK_TOKENS=512.*254"):
        model.chunk_capacity(512)


# Other models than the configured one

REMOTE = EmbeddingSettings(
    base_url="https://user:secret@a.test/v1", api_key="sk-1", model="mine", dimensions=8
)


def test_where_models_are_asked_is_told_without_credentials() -> None:
    assert endpoint_address(EmbeddingSettings()) == IN_PROCESS
    assert endpoint_address(EmbeddingSettings(api_key="sk-1")) == OPENAI_URL
    assert "secret" not in endpoint_address(REMOTE)


def test_another_model_is_asked_where_it_was_asked_before() -> None:
    here = endpoint_address(REMOTE)
    other = settings_for(REMOTE, name="other", dimensions=16, endpoint=here)
    assert (other.model, other.dimensions) == ("other", 16)
    assert (other.base_url, other.api_key) == (REMOTE.base_url, REMOTE.api_key)
    with pytest.raises(SettingsError, match=r"was asked at https://b\.test/v1 so far"):
        settings_for(REMOTE, name="other", dimensions=16, endpoint="https://b.test/v1")
    with pytest.raises(SettingsError, match="an endpoint unknown"):
        settings_for(REMOTE, name="other", dimensions=16, endpoint=None)


def test_a_price_that_was_set_for_one_model_is_not_that_of_another() -> None:
    priced = replace(REMOTE, price_per_million=Decimal(1))
    here = endpoint_address(priced)
    other = settings_for(priced, name="other", dimensions=16, endpoint=here)
    assert other.price_per_million is None


def test_a_model_in_this_process_is_never_asked_elsewhere() -> None:
    lexical = settings_for(REMOTE, name=LEXICAL, dimensions=384, endpoint=IN_PROCESS)
    assert lexical.is_local
    assert lexical.model == LEXICAL
