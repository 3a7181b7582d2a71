"""Which model and which tokenizer the settings lead to, by looking at what is installed."""

from typing import TYPE_CHECKING

from omni_pipeline.domain.embedding.known_models import MINILM, EmbeddingModel, choose_model
from omni_pipeline.gateways.embedding.local_model import find_weights, load_minilm_tokenizer
from omni_pipeline.settings import EmbeddingSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def resolve_model(settings: EmbeddingSettings) -> EmbeddingModel:
    """The model that ``settings`` name, by looking at what is installed; asks no endpoint.

    Raises:
        SettingsError: No model, or no dimension, can be told from the settings.
    """
    return choose_model(settings, has_weights=find_weights() is not None)


def load_tokenizer(model: EmbeddingModel) -> "str | Tokenizer":
    """What counts this model's tokens: a name that tiktoken knows, or a tokenizer.

    Raises:
        PermanentError: The model's own tokenizer is not installed.
    """
    return load_minilm_tokenizer() if model.tokenizer == MINILM else model.tokenizer
