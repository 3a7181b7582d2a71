"""How long a server asks to be left alone."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A server that asks for more than a day means "not today".
MAX_SECONDS = 86_400.0


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Read ``Retry-After``: seconds or a date (RFC 9110, 10.2.3); None when it is neither."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return min(float(value), MAX_SECONDS)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year or an offset of twenty digits
        return None
    seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_SECONDS)
