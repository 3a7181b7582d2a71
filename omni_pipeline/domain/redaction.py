"""Takes secrets out of text that people will read: logs, run events, stored failures.

Servers echo keys, drivers echo passwords, pages carry tokens in their addresses (S-71, S-74).
Every pattern is linear in its input, whatever the input (S-49).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from omni_pipeline.settings import Settings

REDACTED = "[redacted]"

# Shorter "secrets" would blank out ordinary words; the patterns below still catch them in place.
MIN_SECRET_LENGTH = 6

# A server's answer may be megabytes; what a person reads of it is its beginning.
MAX_READ = 65_536

_PATTERNS = (
    # user:password@ in any URL, proxy and DSN included
    (re.compile(r"(?<=://)[^/\s?#]{1,512}@"), f"{REDACTED}@"),
    # ?token=... in an address
    (
        re.compile(
            r"(?i)([?&;](?:[\w-]{0,40}(?:token|key|secret|password|passwd|signature|sig|auth"
            r"|credential|session|code))=)[^\s&;#\"'<>]+"
        ),
        rf"\1{REDACTED}",
    ),
    # password=..., "api_key": "..."
    (
        re.compile(
            r"(?i)\b((?:password|passwd|pwd|secret|api[-_]?key|access[-_]?token)"
            r"[\"']?\s{0,4}[=:]\s{0,4}[\"']?)[^\s\"',;&]+"
        ),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|set-cookie|cookie)([\"']?\s{0,4}[=:])[^\r\n]+"
        ),
        rf"\1\2 {REDACTED}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s{1,4}[\w.~+/=-]{8,}"), rf"\1 {REDACTED}"),
    # Keys of OpenAI and those who copied its form; servers echo them with stars inside.
    (re.compile(r"\bsk-[\w*.-]{6,}"), REDACTED),
)

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, kw_only=True)
class Redactor:
    """Blanks out ``secrets``, in every form they travel in, and whatever looks like one."""

    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of_settings(cls, settings: Settings) -> "Redactor":
        """Knows every secret that the process was told."""
        urls = (settings.database_url, settings.dagster_database_url)
        passwords = (urlsplit(url).password for url in urls if url)
        keys = (settings.embedding.api_key, settings.alert_webhook_secret)
        return cls(secrets=_known([*keys, *passwords, *settings.alert_urls]))

    def redact(self, text: str) -> str:
        """``text`` without secrets, otherwise as it was."""
        forms = {form for secret in self.secrets for form in _forms(secret)}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, REDACTED)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def line(self, text: str, *, limit: int = 300) -> str:
        """``text`` without secrets on one printable line of at most ``limit`` characters."""
        redacted = self.redact(text[:MAX_READ])
        flat = _UNPRINTABLE.sub(" ", redacted).strip()
        return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def _known(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(value for value in values if value)


def _forms(secret: str) -> set[str]:
    forms = {secret, quote(secret, safe=""), unquote(secret)}
    return {form for form in forms if len(form) >= MIN_SECRET_LENGTH}
