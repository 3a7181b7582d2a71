"""Whether an endpoint's answer may be used, and which of its vectors.

What is wrong with the answer as a whole leaves nobody to say whose vector is whose: none of it is
used. A vector that cannot be stored or compared leaves the others as they are.

The client library hands on what it gets: too few vectors, NaN, mixed dimensions and shuffled or
doubled indexes all came through it as if they were right (F-C8 to F-C16).
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omni_pipeline.errors import OmniError, PermanentError, TemporaryError

Vectors = NDArray[np.float32]

# In half precision.
LARGEST = float(np.finfo(np.float16).max)

# Characters that some model may drop are left out of the comparison, and words so long that
# WordPiece gives up on them: two texts that differ only there may rightly share one vector.
_PLAIN_WORD = re.compile(r"(?<!\S)[a-z0-9]{1,40}(?!\S)")


class InputRefusedError(PermanentError):
    """The endpoint will not embed the texts of this request; which of them, it does not say."""

    kind = "permanent.input_refused"


class UnusableAnswerError(TemporaryError):
    """What came back was paid for and is of no use: to ask on costs as much each time."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingResponse:
    """What came back for some texts.

    Attributes:
        vectors: (n, dimensions), in the order of the texts; NaN where they are unusable.
        tokens: As billed, None when not said.
        unusable: By index of the text, what is wrong with its vector.
    """

    vectors: Vectors
    tokens: int | None
    unusable: Mapping[int, str] = field(default_factory=dict)


def read_answer(
    document: object, texts: Sequence[str], *, model: str, dimensions: int
) -> EmbeddingResponse:
    """Check the JSON ``document`` that came back for ``texts``.

    Raises:
        UnusableAnswerError: ``transient.embed_answer``, ``.embed_shape`` or ``.embed_vector``.
        PermanentError: ``permanent.embed_dims`` or ``permanent.embed_model``.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("data"), list):
        raise UnusableAnswerError(
            "The embedding endpoint's answer has no list of vectors (JSON field `data`): "
            "check that OMNI_EMBEDDING_BASE_URL ends at its /v1.",
            kind="transient.embed_answer",
        )
    _check_model(document.get("model"), asked=model)
    rows = _in_order(document["data"], count=len(texts))
    vectors = np.stack([_read_vector(row, dimensions=dimensions) for row in rows])
    unusable = _find_unusable(vectors)
    vectors[list(unusable)] = np.nan
    _refuse_stuck(vectors, texts)
    tokens = _read_tokens(document.get("usage"))
    return EmbeddingResponse(vectors=vectors, tokens=tokens, unusable=unusable)


def _check_model(answered: object, *, asked: str) -> None:
    """Names match loosely: organization, tag and version of a name are the endpoint's business."""
    if not isinstance(answered, str) or not answered:
        return
    one, other = _bare_name(answered), _bare_name(asked)
    if not one.startswith(other) and not other.startswith(one):
        raise PermanentError(
            f"The embedding endpoint was asked for {asked!r} and answered with "
            f"{answered[:80]!r}: set OMNI_EMBEDDING_MODEL to the model it serves.",
            kind="permanent.embed_model",
        )


def _bare_name(name: str) -> str:
    return name.lower().rpartition("/")[2].partition(":")[0]


def _in_order(data: Sequence[object], *, count: int) -> list[Mapping[str, object]]:
    """The rows by their ``index``, which must be exactly 0 .. count - 1, or nowhere.

    Some endpoints number nothing: they answer in the order in which they were asked.
    """
    if len(data) != count:
        raise _shape_error(f"{len(data)} vectors for {count} texts")
    rows = [row for row in data if isinstance(row, Mapping)]
    if len(rows) == count and not any("index" in row for row in rows):
        return rows
    by_index = {row.get("index"): row for row in rows if type(row.get("index")) is int}
    if by_index.keys() != set(range(count)):
        raise _shape_error(f"indexes that are not 0 to {count - 1}, each once")
    return [by_index[index] for index in range(count)]


def _read_vector(row: Mapping[str, object], *, dimensions: int) -> Vectors:
    values = _decode(row.get("embedding"))
    if values.ndim != 1:
        raise _shape_error("a vector that is no list of numbers")
    if len(values) != dimensions:
        raise PermanentError(
            f"The embedding endpoint answered a vector of {len(values)} dimensions, expected "
            f"{dimensions}: set OMNI_EMBEDDING_MODEL and OMNI_EMBEDDING_DIMENSIONS to what it "
            "serves; vectors of two lengths never share an index.",
            kind="permanent.embed_dims",
        )
    return values


def _decode(embedding: object) -> Vectors:
    """Base64 of little-endian float32, which is asked for, or the list of numbers some send."""
    try:
        if isinstance(embedding, str):
            raw = np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
            return raw.astype(np.float32)
        with np.errstate(over="ignore"):
            return np.asarray(embedding, dtype=np.float32)
    except (binascii.Error, ValueError, TypeError, OverflowError):
        raise _shape_error("a vector that is no list of numbers") from None


def _find_unusable(vectors: Vectors) -> dict[int, str]:
    """Vectors that cannot be compared, or not in half precision, in which they are stored."""
    with np.errstate(over="ignore", under="ignore"):
        halved = vectors.astype(np.float16)
    unusable: dict[int, str] = {}
    for index, (vector, half) in enumerate(zip(vectors, halved, strict=True)):
        if not np.isfinite(vector).all():
            unusable[index] = "a vector with NaN or infinity in it"
        elif not vector.any():
            unusable[index] = "a vector of zeros"
        elif not np.isfinite(half).all():
            unusable[index] = (
                f"a vector with numbers beyond {LARGEST:,.0f}, the most that is stored"
            )
        elif not half.any():
            unusable[index] = "a vector so small that it is stored as zeros"
    return unusable


def _refuse_stuck(vectors: Vectors, texts: Sequence[str]) -> None:
    if (vectors == vectors[0]).all() and _must_differ(texts):
        raise _vector_error(f"the same vector for {len(texts)} different texts")


def _must_differ(texts: Sequence[str]) -> bool:
    return len({frozenset(_PLAIN_WORD.findall(text.casefold())) for text in texts}) > 1


def _read_tokens(usage: object) -> int | None:
    tokens = usage.get("total_tokens") if isinstance(usage, Mapping) else None
    return tokens if type(tokens) is int and tokens >= 0 else None


def _shape_error(what: str) -> OmniError:
    return UnusableAnswerError(
        f"The embedding endpoint answered {what}; nothing of it was used.",
        kind="transient.embed_shape",
    )


def _vector_error(what: str) -> OmniError:
    return UnusableAnswerError(
        f"The embedding endpoint answered {what}; nothing of it was used.",
        kind="transient.embed_vector",
    )
