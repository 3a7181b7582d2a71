"""What is stored of the error that ended a refresh: its kind and one line, without secrets."""

import pytest

from omni_pipeline.domain.redaction import REDACTED, Redactor
from omni_pipeline.errors import OmniError, TemporaryError
from omni_pipeline.settings import EmbeddingSettings
from omni_pipeline.steps.run.claimed_refresh import MAX_OF_AN_ERROR, describe
from omni_pipeline_tests.steps.conftest import Pipeline

KEY = "sk-live-0123456789abcdef"
PASSWORD = "hunter2-and-more"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TemporaryError("no answer", kind="transient.timeout"), "transient.timeout"),
        (OmniError("something"), "unclassified"),
        (KeyError("x"), "permanent.KeyError"),
        (KeyboardInterrupt(), "permanent.KeyboardInterrupt"),
    ],
)
def test_an_error_is_stored_with_its_kind(error: BaseException, kind: str) -> None:
    assert describe(error, Redactor())[0] == kind


def test_an_error_of_any_length_is_stored_as_one_line() -> None:
    _, message = describe(ValueError("line\nline\x00" * 10_000), Redactor())
    assert len(message) == MAX_OF_AN_ERROR
    assert message.isprintable()


@pytest.mark.parametrize("is_ours", [True, False])
def test_no_secret_reaches_the_ledger_whatever_ended_the_refresh(
    pipeline: Pipeline, *, is_ours: bool
) -> None:
    """S-71, I31: also through an error that nobody foresaw."""
    text = f"cannot use {KEY}: postgresql://omni:{PASSWORD}@db/omni said no to {PASSWORD}"
    database_url = f"postgresql://omni:{PASSWORD}@db/omni"
    pipeline.settings = type(pipeline.settings)(
        home=pipeline.settings.home,
        database_url=database_url,
        embedding=EmbeddingSettings(api_key=KEY),
    )
    error = TemporaryError(text) if is_ours else RuntimeError(text)
    with pytest.raises(type(error)), pipeline.open():
        raise error
    [(stored,)] = pipeline.query(b"SELECT error FROM crawl_jobs")
    assert KEY not in str(stored)
    assert PASSWORD not in str(stored)
    assert str(stored).count(REDACTED) >= 3
    assert pipeline.violations() == []
