"""Every violation ends with what to do."""

import re

import pytest

from omni_pipeline.domain.remedies import remedy
from omni_pipeline.store.monitoring import invariants


@pytest.mark.parametrize("name", invariants.names())
def test_every_invariant_has_a_remedy_that_names_a_command(name: str) -> None:
    said = remedy(name, "a.test")
    assert re.search(r"`omni [a-z-]+|replace that key", said)
    assert "{" not in said


def test_a_remedy_names_the_domain() -> None:
    assert "`omni refresh a.test`" in remedy("I02_chunks_have_embeddings", "a.test")
