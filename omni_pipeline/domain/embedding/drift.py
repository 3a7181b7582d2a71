"""Whether fresh vectors can be compared with those stored before, or come of another model (F-C16).

An endpoint may serve another model under the old name, with the right dimensions. Nothing of one
answer shows that. But the vectors of a model share a length and a direction: texts of one kind lie
around a common centre, which is another one for another model.
"""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

# Fewer say nothing of what is usual.
MIN_STORED = 20

MAX_LENGTH_SHIFT = 0.2

# Around their centre vectors lie at all distances; the mean of a batch is another matter. Half as
# close is far beyond what a new topic does, four times as close what a model does that is stuck.
MIN_SHARE_OF_CLOSENESS = 0.5
MIN_SHARE_OF_SPREAD = 0.25
DEVIATIONS = 4.0


def describe_drift(fresh: Vectors, stored: Vectors) -> str | None:
    """How ``fresh`` differs from ``stored``, in words; None while it does not, or nobody can tell.

    Args:
        fresh: (n, dimensions), of any texts.
        stored: (m, dimensions), a sample of the same model's vectors.
    """
    if len(stored) < MIN_STORED or not len(fresh):
        return None
    return _describe_length(fresh, stored) or _describe_direction(fresh, stored)


def _describe_length(fresh: Vectors, stored: Vectors) -> str | None:
    now, usual = np.linalg.norm(fresh, axis=1), np.linalg.norm(stored, axis=1)
    median, before = float(np.median(now)), float(np.median(usual))
    is_far = abs(median - before) > MAX_LENGTH_SHIFT * before
    if not is_far or usual.min() <= median <= usual.max():
        return None
    return f"{len(fresh)} new vectors have a median length of {median:.3g}, before {before:.3g}"


def _describe_direction(fresh: Vectors, stored: Vectors) -> str | None:
    centre = _units(stored).mean(axis=0)
    centre /= max(float(np.linalg.norm(centre)), 1e-12)
    now, usual = _units(fresh) @ centre, _units(stored) @ centre
    mean, before = float(now.mean()), float(usual.mean())
    is_rare = abs(mean - before) > DEVIATIONS * float(usual.std()) / np.sqrt(len(fresh))
    is_far = mean < before * MIN_SHARE_OF_CLOSENESS
    is_stuck = len(fresh) > 1 and 1 - mean < (1 - before) * MIN_SHARE_OF_SPREAD
    if not is_rare or not (is_far or is_stuck):
        return None
    return (
        f"{len(fresh)} new vectors have a mean cosine of {mean:.2f} to the centre of those stored, "
        f"which themselves have {before:.2f}"
    )


def _units(vectors: Vectors) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    units: NDArray[np.float64] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return units
