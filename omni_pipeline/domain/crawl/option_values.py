"""The rules of what a person types for a crawl option; a refusal names value, rule and remedy."""

from collections.abc import Callable, Sequence

from omni_pipeline.domain.prices.currencies import iso_code
from omni_pipeline.domain.web.hosts import BadHostError, canonical_host
from omni_pipeline.errors import SettingsError

UNLIMITED = "none"
# Patterns are matched with path and query, which begin with a slash.
_STARTS_OF_PATTERNS = ("/", "*", "?", "[")


def as_said(_: str, value: object) -> object:
    """The value itself: the command line has checked its range."""
    return value


def number_or_none(limit: int) -> Callable[[str, str], int | None]:
    """The rule of a whole number from 1 to ``limit``; "none" is no limit."""

    def parse(flag: str, text: str) -> int | None:
        if text.lower() == UNLIMITED:
            return None
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= limit:
            raise SettingsError(
                f"{flag} {text!r} is neither a whole number from 1 to {limit:,} nor "
                f"{UNLIMITED!r}: give, for example, {flag} 20000, or {flag} {UNLIMITED} for no "
                "limit."
            )
        return int(text)

    return parse


def currency_or_none(flag: str, text: str) -> str | None:
    """A currency of ISO 4217, in capitals; "none" takes it back."""
    if text.lower() == UNLIMITED:
        return None
    code = iso_code(text)
    if code is None:
        raise SettingsError(
            f"{flag} {text!r} is no currency of ISO 4217: give its three letters, such as EUR, "
            f"or {UNLIMITED} to take it back."
        )
    return code


def globs(flag: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns of paths, each once; one empty text empties the list."""
    wanted = tuple(dict.fromkeys(filter(None, patterns)))
    for pattern in wanted:
        if not pattern.startswith(_STARTS_OF_PATTERNS):
            raise SettingsError(
                f"{flag} {pattern!r} would match nothing: globs are matched with the whole path "
                f"and query, which begin with a slash. Write '/{pattern}' or '*{pattern}'."
            )
    return wanted


def hosts(flag: str, named: Sequence[str]) -> tuple[str, ...]:
    """Hosts in their one spelling, each once; one empty text empties the list."""
    return tuple(dict.fromkeys(_host(flag, host) for host in named if host))


def _host(flag: str, text: str) -> str:
    try:
        return canonical_host(text.strip())
    except BadHostError as error:
        is_more = "/" in text or text.count(":") == 1
        rule = "is more than a host" if is_more else str(error)
        raise SettingsError(
            f"{flag} {text!r} {rule}. Give a host alone, such as cdn.example.com."
        ) from error
