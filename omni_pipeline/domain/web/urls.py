"""One grammar for sites and URLs: what a person typed, what a page links to, what is dialled.

Everything that takes a host or a URL from outside goes through this module, and the HTTP client
dials what this module parsed, so that no two parsers can disagree about which host a URL names
(S-21 to S-24, S-32, S-33, S-54). Whether an address may be reached is ``addresses``' question.
"""

import ipaddress
import re
from dataclasses import dataclass

from omni_pipeline.domain.web.addresses import WEB_PORTS, not_public
from omni_pipeline.domain.web.hosts import (
    DEFAULT_PORTS,
    BadHostError,
    bracketed,
    canonical_authority,
    canonical_host,
    is_numeric,
    port_number,
    split_authority,
    without_www,
)
from omni_pipeline.domain.web.visitor_marks import is_visitor_mark, path_without_session
from omni_pipeline.errors import SettingsError
from omni_pipeline.settings import IPAddress

# A unique index row over 2704 bytes fails its whole batch in Postgres (F-D38).
MAX_URL_BYTES = 2048

_ABSOLUTE = re.compile(r"(https?)://([^/?#]+)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# C0 controls, DEL, C1, line separators, lone surrogates; and the backslash, which browsers read
# as a slash and most other parsers do not: the classic way to show two hosts to two parsers.
_NEVER_IN_URL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\]")
_NOT_IN_PATH = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
_NOT_IN_QUERY = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, kw_only=True)
class UrlParts:
    """A canonical URL taken apart; ``host`` has no brackets, ``target`` is path and query."""

    scheme: str
    host: str
    port: int
    target: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """One web site as it is registered; ``key`` is its partition key."""

    key: str
    host: str
    port: int
    scheme: str
    start_url: str


def parse_site(text: str, *, allowed: frozenset[tuple[IPAddress, int]]) -> Site:
    """Read what a person typed: ``docs.example.com`` or ``https://docs.example.com/start``.

    Args:
        text: A host or an http(s) URL.
        allowed: The ``(address, port)`` pairs that may be crawled although they are not public
            web addresses.

    Raises:
        SettingsError: The text breaks a rule; the message names value, rule and remedy.
    """
    shown = _shown(text)
    url = canonical_url(_with_scheme(text.strip()))
    if url is None:
        raise SettingsError(f"{shown} {_why_no_site(text.strip())}")
    parts = url_parts(url)
    _check_reach(parts, allowed, shown)
    return Site(
        key=_key(parts), host=parts.host, port=parts.port, scheme=parts.scheme, start_url=url
    )


def check_partition_key(key: str) -> str:
    """Return ``key`` if it could be a site's key; the check of everything that takes one (S-54).

    Raises:
        SettingsError: It is not in the one form that ``parse_site`` gives keys.
    """
    urls = (canonical_url(f"{scheme}://{key}/") for scheme in DEFAULT_PORTS)
    if all(url is None or _key(url_parts(url)) != key for url in urls):
        raise SettingsError(
            f"{_shown(key)} is not a domain's key: keys are lower-case host names such as "
            "docs.example.com, with :PORT where the port is unusual. See `omni domains list`."
        )
    return key


def canonical_url(reference: str, base: str | None = None) -> str | None:
    """Return the one spelling of an http(s) URL, or None when it is not one to fetch.

    Follows the WHATWG rules for what it accepts, and refuses what they repair: control
    characters, backslashes, user-info, numeric host forms, missing slashes. What a URL carries of
    its visitor is left out.

    Args:
        reference: A URL, or a reference relative to ``base``.
        base: A canonical URL.
    """
    text = reference.strip(" \t\r\n\f")
    if len(text) > MAX_URL_BYTES or _NEVER_IN_URL.search(text):
        return None
    absolute = text if base is None else _resolve(text, base)
    match = _ABSOLUTE.match(absolute)
    if match is None:
        return None
    scheme = match[1].lower()
    authority = canonical_authority(match[2], scheme)
    if authority is None:
        return None
    url = f"{scheme}://{authority}{_canonical_path(match[3])}{_canonical_query(match[4])}"
    return url if len(url) <= MAX_URL_BYTES else None


def url_parts(url: str) -> UrlParts:
    """Take a canonical URL apart.

    Raises:
        ValueError: It is not canonical: a mistake of the calling code.
    """
    scheme, _, rest = url.partition("://")
    authority, slash, target = rest.partition("/")
    if scheme not in DEFAULT_PORTS or not slash:
        raise ValueError(f"not a canonical URL: {url[:200]!r}")
    host, port = split_authority(authority)
    return UrlParts(
        scheme=scheme, host=host, port=int(port or DEFAULT_PORTS[scheme]), target=slash + target
    )


def in_scope(url: str, site: Site) -> bool:
    """Whether a canonical URL belongs to the site: same host label by label, same port.

    ``www.`` makes no difference, nor does http against https on their default ports (S-33).
    """
    return same_server(url_parts(url), site)


def same_server(one: UrlParts | Site, other: UrlParts | Site) -> bool:
    """Whether both are one web site, as ``in_scope`` understands it."""
    if without_www(one.host) != without_www(other.host):
        return False
    return _client(one) == _client(other)


def site_url(url: str, site: Site) -> str:
    """Return a canonical URL of the site in the site's own scheme and host, any other as it is.

    So that a page which is linked as http and https, with and without ``www.``, is one page
    (F-D22). The site must go by the spelling that its server answers at: where that redirects to
    another spelling, this function turns the target back into what was asked for.
    """
    port = "" if site.port == DEFAULT_PORTS[site.scheme] else f":{site.port}"
    origin = f"{site.scheme}://{bracketed(site.host)}{port}"
    if url.startswith(f"{origin}/") or not in_scope(url, site):
        return url
    return f"{origin}{url_parts(url).target}"


def _client(place: UrlParts | Site) -> tuple[str, int] | None:
    """Scheme and port; None for http and https on their default ports, which are one."""
    is_default = place.port == DEFAULT_PORTS[place.scheme]
    return None if is_default else (place.scheme, place.port)


def _resolve(reference: str, base: str) -> str:
    if _SCHEME.match(reference):
        return reference
    path_start = base.index("/", len("https://"))
    path_end = (base + "?").index("?")
    if reference.startswith("//"):
        return base[: base.index(":") + 1] + reference
    if reference.startswith("/"):
        return base[:path_start] + reference
    if not reference or reference.startswith("#"):
        return base
    if reference.startswith("?"):
        return base[:path_end] + reference
    return base[: base.rindex("/", 0, path_end) + 1] + reference


def _canonical_path(path: str) -> str:
    if _NOT_IN_PATH.search(path):
        path = _NOT_IN_PATH.sub(_normal_escape, path)
    if ";" in path or "/(" in path:
        path = path_without_session(path)
    return _without_dots(path) if "/." in path else path or "/"


def _normal_escape(match: re.Match[str]) -> str:
    """Escape what must be, unescape what need not be (RFC 3986, 6.2.2); a stray % becomes %25."""
    found = match[0]
    if len(found) == 1:
        return "".join(f"%{byte:02X}" for byte in found.encode())
    character = chr(int(found[1:], 16))
    return character if character in _UNRESERVED else found.upper()


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _canonical_query(query: str | None) -> str:
    if not query:
        return ""
    if _NOT_IN_QUERY.search(query):
        query = _NOT_IN_QUERY.sub(_normal_escape, query)
    kept = [part for part in query.split("&") if part and not is_visitor_mark(part)]
    return "?" + "&".join(kept) if kept else ""


def _key(parts: UrlParts) -> str:
    host = bracketed(parts.host)
    return host if parts.port == DEFAULT_PORTS[parts.scheme] else f"{host}:{parts.port}"


def _with_scheme(text: str) -> str:
    """Add the scheme a person leaves out: https, but http for bare addresses and odd ports."""
    if "://" in text:
        return text
    host, port = split_authority(re.split(r"[/?#]", text, maxsplit=1)[0])
    is_address = ":" in host or is_numeric(host)
    secure = port == "443" or (not port and not is_address)
    return f"{'https' if secure else 'http'}://{text}"


def _check_reach(parts: UrlParts, allowed: frozenset[tuple[IPAddress, int]], shown: str) -> None:
    address = _as_address(parts.host)
    if address is not None and (address, parts.port) not in allowed:
        reason = not_public(address) or "a bare address, and sites are registered by name"
        raise SettingsError(
            f"{shown} is {reason}: only addresses that are named may be crawled. "
            f"If this one is yours, set OMNI_ALLOW_ADDRESSES={bracketed(parts.host)}:{parts.port}."
        )
    if address is None and parts.port not in WEB_PORTS | {port for _, port in allowed}:
        raise SettingsError(
            f"{shown} has port {parts.port}: only 80 and 443 are crawled. If this server is "
            f"yours, set OMNI_ALLOW_ADDRESSES=ITS.IP.ADDRESS:{parts.port}."
        )


def _as_address(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _why_no_site(text: str) -> str:
    """The rule that ``canonical_url`` found broken, and the remedy, for a person."""
    scheme, found, rest = _with_scheme(text).partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not found or scheme.lower() not in DEFAULT_PORTS:
        rule = f"has the scheme {scheme[:20]!r}, and only http and https are crawled"
    elif _NEVER_IN_URL.search(text):
        rule = "has a control character or a backslash in it"
    elif "@" in authority:
        rule = "carries a user name or password, and no credentials are sent to sites"
    else:
        rule = _host_rule(authority) or f"is longer than {MAX_URL_BYTES} bytes"
    return f"{rule}. Give a host such as docs.example.com, or its https:// URL."


def _host_rule(authority: str) -> str | None:
    host, port = split_authority(authority)
    try:
        port_number(port, default=80)
        canonical_host(host)
    except BadHostError as error:
        return str(error)
    return None


def _shown(text: str) -> str:
    """The text for a message: short, on one line, without the password somebody pasted (S-71)."""
    return repr(re.sub(r"(^|//)[^/?#]*@", r"\1***@", text))[:120]
