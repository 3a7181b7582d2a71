"""Cookies of one crawl: kept for the host that set them, sent where it insists, gone at the end.

Some sites answer nobody who does not bring back the cookie that they set: they redirect in a circle
to see it. Most sites set cookies and need none, and get none. A ``Domain`` is not heeded: a cookie
never leaves for another host (RFC 6265, with the stricter choice wherever it leaves one).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from omni_pipeline.domain.web.urls import UrlParts, url_parts

MAX_COOKIES = 50
_PAIR = re.compile(
    r"\s*([^\s=;,\x00-\x1f\x7f]{1,256})\s*=\s*\"?([\x21\x23-\x3a\x3c-\x7e ]{0,4096}?)\"?\s*"
)
_AGE = re.compile(r"-?[0-9]{1,12}")


@dataclass(frozen=True, kw_only=True)
class _Cookie:
    value: str
    path: str
    is_secure: bool


@dataclass(kw_only=True)
class _HostCookies:
    """What one host set; ``changes`` counts how often that changed."""

    cookies: dict[tuple[str, str], _Cookie] = field(default_factory=dict)
    changes: int = 0
    is_sending: bool = False
    has_helped: bool = False


class CookieJar:
    """The cookies of every host that one client talks to."""

    def __init__(self) -> None:
        self._hosts: dict[str, _HostCookies] = {}

    def take(self, url: str, headers: Iterable[tuple[str, str]], now: datetime) -> None:
        """Keep what an answer sets.

        Args:
            url: Canonical; what was asked for.
            headers: Of the answer, with lower-case names.
            now: Decides what has expired.
        """
        for name, value in headers:
            if name == "set-cookie":
                self._set(url_parts(url), value, now)

    def header(self, url: str) -> str | None:
        """What to send to the host of ``url``, if anything."""
        parts = url_parts(url)
        host = self._hosts.get(parts.host)
        if host is None or not host.is_sending:
            return None
        sent = [
            f"{name}={cookie.value}"
            for (name, _), cookie in host.cookies.items()
            if _fits(cookie, parts)
        ]
        return "; ".join(sent) or None

    def sent(self, url: str) -> int:
        """Names the cookies that a request sent now would carry; 0 for none."""
        host = self._hosts.get(url_parts(url).host)
        return host.changes if host and host.is_sending else 0

    def may_help(self, url: str, sent: int) -> bool:
        """Whether the host set cookies that a request with those ``sent`` did not carry.

        If so they are sent from now on, until ``judge`` says that they are of no use.
        """
        host = self._hosts.get(url_parts(url).host)
        if host is None or not host.cookies or host.changes == sent:
            return False
        host.is_sending = True
        return self.header(url) is not None

    def judge(self, url: str, *, helped: bool) -> None:
        """Note whether the cookies got ``url`` another answer."""
        host = self._hosts[url_parts(url).host]
        host.has_helped |= helped
        host.is_sending = host.has_helped

    def _set(self, parts: UrlParts, value: str, now: datetime) -> None:
        pair, *attributes = value[:8192].split(";")
        found = _PAIR.fullmatch(pair)
        if found is None:
            return
        named = {
            name.strip().lower(): text.strip()
            for name, _, text in (part.partition("=") for part in attributes)
        }
        folder = parts.target.partition("?")[0].rpartition("/")[0] or "/"
        path = named.get("path", "")
        cookie = _Cookie(
            value=found[2],
            path=path if path.startswith("/") else folder,
            is_secure="secure" in named,
        )
        host = self._hosts.setdefault(parts.host, _HostCookies())
        key = (found[1], cookie.path)
        if _has_expired(named, now):
            host.changes += host.cookies.pop(key, None) is not None
        elif host.cookies.get(key) != cookie and (
            key in host.cookies or len(host.cookies) < MAX_COOKIES
        ):
            host.cookies[key] = cookie
            host.changes += 1


def _fits(cookie: _Cookie, parts: UrlParts) -> bool:
    path = parts.target.partition("?")[0]
    is_below = path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/")
    return is_below and (not cookie.is_secure or parts.scheme == "https")


def _has_expired(named: dict[str, str], now: datetime) -> bool:
    age = named.get("max-age", "")
    if _AGE.fullmatch(age):
        return int(age) <= 0
    try:
        expires = parsedate_to_datetime(named.get("expires", ""))
    except (ValueError, TypeError, OverflowError):
        return False
    return expires.replace(tzinfo=expires.tzinfo or now.tzinfo) <= now
