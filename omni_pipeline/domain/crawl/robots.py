"""What robots.txt permits, by RFC 9309: unreachable means no, unavailable means yes.

Fetching and caching are not here. Which lines concern this crawler is read here: Protego would
obey ``User-agent: omni`` as ``omni_pipeline``, and overlook ``User-agent: omni_pipeline/1.0``. How
rules match URLs is Protego's part; besides what the RFC says it takes a ``$`` for itself as well.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from protego import Protego

from omni_pipeline.domain.web.outcomes import Blocked, Fetched, Gone, Outcome, Unusable

# RFC 9309, 2.5: a crawler reads at least this much.
MAX_ROBOTS_BYTES = 500 * 1024
# RFC 9309, 2.3.1.2: at least this many; one more counts as unavailable.
MAX_ROBOTS_REDIRECTS = 5
# A site that asks for more than this is not crawled at all (F-D19): `asked_delay_seconds`.
MAX_DELAY_SECONDS = 30.0

# What Google's parser reads of a line: eight times the longest URL of a browser that was.
_MAX_LINE_CHARACTERS = 2083 * 8
_LINE_END = re.compile(r"[\r\n]+")
# Protego would end a line there.
_OTHER_LINE_END = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_PRODUCT_TOKEN = re.compile(r"\*(?=\s|$)|[a-z_-]*", re.IGNORECASE)
# With the misspellings that Google's parser knows.
_FIELDS = {
    **dict.fromkeys(("user-agent", "useragent", "user agent"), "user-agent"),
    **dict.fromkeys(("disallow", "dissallow", "dissalow", "disalow", "diasllow"), "disallow"),
    "disallaw": "disallow",
    "allow": "allow",
    **dict.fromkeys(("crawl-delay", "crawl delay", "crawldelay"), "crawl-delay"),
    **dict.fromkeys(("sitemap", "site-map"), "sitemap"),
}
_EVERYONE = "*"


@dataclass(frozen=True, kw_only=True)
class RobotsRules:
    """The rules of one host for one crawler.

    Attributes:
        unreachable: Why nothing is allowed although no rule says so; None when rules are known.
        asked_delay_seconds: The site's crawl-delay as it stands, or None.
        sitemaps: As written: neither canonical nor known to be in scope.
    """

    unreachable: str | None = None
    asked_delay_seconds: float | None = None
    sitemaps: tuple[str, ...] = ()
    _agent: str = field(default="*", repr=False)
    _file: Protego | None = field(default=None, repr=False)

    def allows(self, url: str) -> bool:
        if self.unreachable is not None:
            return False
        return self._file is None or bool(self._file.can_fetch(url, self._agent))

    @property
    def delay_seconds(self) -> float:
        """The crawl-delay to keep, at most 30 s."""
        return min(self.asked_delay_seconds or 0.0, MAX_DELAY_SECONDS)


def rules_from(outcome: Outcome, user_agent: str) -> RobotsRules:
    """Judge the outcome of fetching a host's robots.txt (F-D14 to F-D18).

    Args:
        outcome: Of a fetch that followed up to five redirects.
        user_agent: The header; its product token is what rules are matched with.
    """
    match outcome:
        case Fetched():
            try:
                return rules_from_copy(robots_text(outcome), user_agent)
            except Exception as error:  # noqa: BLE001 - a stranger's file is that file's failure
                return RobotsRules(unreachable=f"reading it failed with {type(error).__name__}")
        case Gone() | Blocked(status=401 | 403) | Unusable(kind="permanent.redirect_loop"):
            return RobotsRules()
        case Unusable(status=int(status)) if 400 <= status < 500:  # noqa: PLR2004 - 4xx
            return RobotsRules()
        case _:
            return RobotsRules(unreachable=_why(outcome))


def rules_from_copy(content: str, user_agent: str) -> RobotsRules:
    """Read the text of a robots.txt, as ``robots_text`` gave it when it could be fetched.

    Args:
        content: Empty for a site without one.
        user_agent: The header; its product token is what rules are matched with.
    """
    agent = _product_token(user_agent)
    lines = _lines_for(content, agent)
    rules = Protego.parse("\n".join([f"user-agent: {_EVERYONE}", *lines]))
    return RobotsRules(
        asked_delay_seconds=rules.crawl_delay(agent),
        sitemaps=tuple(value for kind, value in _records(content) if kind == "sitemap" and value),
        _agent=agent,
        _file=rules,
    )


def have_same_rules(content: str, other: str, user_agent: str) -> bool:
    """Whether two texts of a robots.txt tell this crawler the same."""
    agent = _product_token(user_agent)
    return _lines_for(content, agent) == _lines_for(other, agent)


def robots_text(file: Fetched) -> str:
    """What counts of a robots.txt, as text that can be stored: its first 500 KiB, whole lines."""
    body = file.body[:MAX_ROBOTS_BYTES]
    if len(body) < len(file.body) or file.truncated:
        # "Disallow: /private" cut short would forbid the whole site.
        body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
    return body.decode("utf-8-sig", errors="replace").replace("\0", "\ufffd")


def _lines_for(content: str, agent: str) -> list[str]:
    """The rules of all groups that name the agent, or else of those for everyone (2.2.1).

    Unknown records end no list of names (2.2.4). Crawl-delay does, although the RFC does not know
    it: who slows everyone down and then shuts one crawler out has not shut everyone out.
    """
    groups: dict[str, dict[str, None]] = {}
    named: set[str] = set()
    is_naming = False
    for kind, value in _records(content):
        if kind == "user-agent":
            named = named if is_naming else set()
            named |= {_product_token(value)} & {agent, _EVERYONE}
            is_naming = True
            for name in named:
                groups.setdefault(name, {})  # a group without rules is one nevertheless
        elif kind != "sitemap":
            is_naming = False
            for name in named:
                groups[name].setdefault(f"{kind}: {value}")
    return list(groups.get(agent, groups.get(_EVERYONE, {})))


def _records(content: str) -> Iterator[tuple[str, str]]:
    for raw in _LINE_END.split(content):
        line = raw[:_MAX_LINE_CHARACTERS].partition("#")[0]
        name, _, value = line.partition(":")
        if name.strip().lower() not in _FIELDS:  # the colon is missing, or is the URL's
            name, value = (*line.split(maxsplit=1), "", "")[:2]
        if kind := _FIELDS.get(name.strip().lower()):
            yield kind, _OTHER_LINE_END.sub(lambda found: quote(found[0]), value.strip())


def _product_token(text: str) -> str:
    found = _PRODUCT_TOKEN.match(text.strip())
    return found[0].lower() if found else ""


def _why(outcome: Outcome) -> str:
    return getattr(outcome, "reason", "") or f"robots.txt answered {type(outcome).__name__}"
