"""Reading Retry-After, which is seconds or a date (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime

import pytest

from omni_pipeline.domain.web.outcomes import Blocked, FetchRequest, Unreachable
from omni_pipeline.gateways.http.responses import Head, outcome_without_body

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
REQUEST = FetchRequest(url="https://example.com/")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("999999999", 86_400.0),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120.0),
        ("Mon, 23 Nov 2026 12:02:00", 120.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("1.5", 1.5),
        ("٣", None),
        ("Mon, 99 Nov 2026 12:02:00 GMT", None),
        ("9" * 400, None),
        ("Mon, 23 Nov 99999999999 12:02:00 GMT", None),
        ("Mon, 23 Nov 2026 12:02:00 +99999999999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400.0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_never_breaks(
    value: str, seconds: float | None
) -> None:
    head = Head(status=429, headers=[("retry-after", value)])
    outcome = outcome_without_body(REQUEST, head, NOW)

    assert isinstance(outcome, Blocked)
    assert outcome.retry_after_seconds == seconds


def test_503_without_a_time_is_a_server_error_and_with_one_a_request_to_wait() -> None:
    plain = outcome_without_body(REQUEST, Head(status=503, headers=[]), NOW)
    wait = outcome_without_body(REQUEST, Head(status=503, headers=[("retry-after", "5")]), NOW)

    assert isinstance(plain, Unreachable)
    assert isinstance(wait, Blocked)
