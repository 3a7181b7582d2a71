"""Another model behind the old name is noticed; another topic is none (F-C16)."""

import numpy as np
import pytest
from numpy.typing import NDArray

from omni_pipeline.domain.embedding.drift import MIN_STORED, describe_drift

Vectors = NDArray[np.float32]

DIMENSIONS = 256


class Model:
    """Unit vectors that lie around a centre of the model's own, as those of real models do."""

    def __init__(self, seed: int, *, closeness: float = 0.5) -> None:
        self._chance = np.random.default_rng(seed)
        self._centre = self._unit()
        self._closeness = closeness

    def embed(self, count: int, *, likeness: float = 0.0) -> Vectors:
        """Vectors of texts; with ``likeness`` they are all of one topic."""
        topic = self._unit()
        rest = 1 - self._closeness**2
        rows = [
            self._closeness * self._centre
            + np.sqrt(rest * likeness) * topic
            + np.sqrt(rest * (1 - likeness)) * self._unit()
            for _ in range(count)
        ]
        return np.array(rows, dtype=np.float32)

    def _unit(self) -> NDArray[np.float64]:
        row = self._chance.normal(size=DIMENSIONS)
        return row / np.linalg.norm(row)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("closeness", [0.3, 0.5, 0.85])
@pytest.mark.parametrize("count", [1, 3, 64])
def test_the_same_model_has_not_drifted_whatever_the_topic(
    seed: int, closeness: float, count: int
) -> None:
    model = Model(seed, closeness=closeness)
    stored = model.embed(200)
    for likeness in (0.0, 0.5, 0.9):
        assert describe_drift(model.embed(count, likeness=likeness), stored) is None


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("closeness", [0.3, 0.5, 0.85])
def test_another_model_has(seed: int, closeness: float) -> None:
    stored = Model(seed, closeness=closeness).embed(200)
    drift = describe_drift(Model(seed + 1000, closeness=closeness).embed(5), stored)
    assert drift is not None
    assert "mean cosine" in drift


@pytest.mark.parametrize("factor", [0.5, 1.3])
def test_a_shift_of_length_is_told(factor: float) -> None:
    model = Model(1)
    drift = describe_drift(model.embed(3) * np.float32(factor), model.embed(200))
    assert drift is not None
    assert "median length" in drift


def test_lengths_that_vary_anyway_are_no_shift() -> None:
    model = Model(1)
    lengths = np.linspace(0.5, 2.0, 200, dtype=np.float32)[:, None]
    assert describe_drift(model.embed(3) * np.float32(1.6), model.embed(200) * lengths) is None


def test_a_model_that_answers_much_the_same_for_everything_is_told() -> None:
    """Bit for bit the same would be refused at the client (F-C14)."""
    model = Model(1)
    stored = model.embed(200)
    alike = stored.mean(axis=0) + model.embed(20) / 50
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    drift = describe_drift(alike, stored)
    assert drift is not None
    assert "mean cosine" in drift


def test_a_few_stored_vectors_say_nothing() -> None:
    stored = Model(1).embed(MIN_STORED - 1)
    assert describe_drift(Model(2).embed(5), stored) is None
    assert describe_drift(np.empty((0, DIMENSIONS), dtype=np.float32), Model(1).embed(99)) is None
