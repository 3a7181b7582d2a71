"""all-MiniLM-L6-v2 by onnxruntime, without torch.

Imported only when the model is loaded: onnxruntime is not free.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors import safe_open
from tokenizers import Tokenizer

from omni_pipeline.domain.embedding.known_models import MINILM
from omni_pipeline.domain.embedding.validation import Vectors
from omni_pipeline.gateways.embedding.minilm_graph import (
    INPUT,
    WIDTH,
    build_byte_product,
    build_graph,
)

# Each computes one text at a time; more of them would starve the rest of a small machine.
MAX_WORKERS = 2

_SLICE_ROWS = 2000


class MiniLM:
    """all-MiniLM-L6-v2 by onnxruntime: one text per run, one thread per run, a few runs at once.

    On two cores this embeds twice as many texts per second as two threads inside each run.
    """

    name = MINILM
    dimensions = WIDTH
    max_input_tokens = 254  # 256 with the two special ones: the length it was trained on

    def __init__(self, folder: Path, *, is_int8: bool | None = None) -> None:
        """Load the weights; ``is_int8`` None means: where this CPU multiplies bytes right."""
        self.is_int8 = multiplies_bytes_right() if is_int8 is None else is_int8
        self._tokenizer = load_tokenizer(folder)
        # The file is mapped into memory: opened twice, only half of it is there at a time.
        with _open_weights(folder) as weights:
            self._words = _read_halved(weights, "embeddings.word_embeddings.weight")
            self._positions = weights.get_tensor("embeddings.position_embeddings.weight")
            self._positions += weights.get_tensor("embeddings.token_type_embeddings.weight")[0]
        with _open_weights(folder) as weights, NamedTemporaryFile() as file:
            file.writelines(build_graph(weights.get_tensor, is_int8=self.is_int8))
            self._session = _open_session(file)

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode(self, texts: Sequence[str]) -> Vectors:
        with ThreadPoolExecutor(min(MAX_WORKERS, os.cpu_count() or 1)) as workers:
            return np.stack(list(workers.map(self._encode, texts)))

    def _encode(self, text: str) -> Vectors:
        ids = self._tokenizer.encode(text).ids
        embedded = self._words[ids].astype(np.float32) + self._positions[: len(ids)]
        hidden: Vectors = self._session.run(None, {INPUT: embedded[None]})[0][0]
        vector: Vectors = hidden.mean(axis=0)
        return vector / np.float32(np.linalg.norm(vector))


@cache
def multiplies_bytes_right() -> bool:
    """Whether int8 may be used: the largest bytes, multiplied and summed, give the true sum.

    Before AVX-512 VNNI, x86 CPUs add pairs of byte products in 16 bits, which overflow.
    """
    terms, rows = 64, 8
    with NamedTemporaryFile() as file:
        file.writelines(build_byte_product(terms=terms, rows=rows))
        session = _open_session(file)
    (sums,) = session.run(None, {INPUT: np.full((rows, terms), 255, dtype=np.float32)})
    return bool((sums == terms * 255 * 127).all())


def _open_session(file: IO[bytes]) -> onnxruntime.InferenceSession:
    """Open the graph in ``file``: a session made from bytes would keep them for ever."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False  # patterns are kept per length, and lengths are many
    # Beyond this level Add and LayerNormalization are fused into an operator five times as slow.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    file.flush()
    return onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])


def _open_weights(folder: Path) -> Any:  # half of safe_open has no types
    return safe_open(folder / "model.safetensors", framework="np")


def _read_halved(weights: Any, name: str) -> NDArray[np.float16]:
    """The tensor in float16, which costs 1e-7 of cosine; never whole in float32."""
    rows = weights.get_slice(name)
    halved = np.empty(rows.get_shape(), dtype=np.float16)
    for start in range(0, len(halved), _SLICE_ROWS):
        stop = min(start + _SLICE_ROWS, len(halved))
        halved[start:stop] = rows[start:stop]
    return halved


def load_tokenizer(folder: Path) -> Tokenizer:
    """The model's own tokenizer, set to neither truncate nor pad."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()  # the file says 128, which would hide the rest of every text
    tokenizer.no_padding()
    return tokenizer
