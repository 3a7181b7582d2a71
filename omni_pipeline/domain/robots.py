"""What robots.txt permits, by RFC 9309: unreachable means no, unavailable means yes.

Fetching, caching and the last good copy are not here; ``rules_from`` judges one outcome.
"""

from dataclasses import dataclass, field

from protego import Protego

from omni_pipeline.domain.outcomes import Blocked, Fetched, Gone, Outcome, Unusable

# RFC 9309, 2.5: a crawler reads at least this much.
MOST_ROBOTS_BYTES = 500 * 1024
# RFC 9309, 2.3.1.2: at least this many; one more counts as unavailable.
MOST_ROBOTS_REDIRECTS = 5
# A site that asks for more than this is not crawled at all (FAULTS D19): `asked_delay_seconds`.
MOST_DELAY_SECONDS = 30.0


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
        return min(self.asked_delay_seconds or 0.0, MOST_DELAY_SECONDS)


def rules_from(outcome: Outcome, user_agent: str) -> RobotsRules:
    """Judge the outcome of fetching a host's robots.txt (FAULTS D14-D18).

    Args:
        outcome: Of a fetch that followed up to five redirects.
        user_agent: The header; its product token is what rules are matched with.
    """
    match outcome:
        case Fetched():
            return _parsed(outcome, user_agent.partition("/")[0].strip())
        case Gone() | Blocked(status=401 | 403) | Unusable(kind="permanent.redirect_loop"):
            return RobotsRules()
        case Unusable(status=int(status)) if 400 <= status < 500:  # noqa: PLR2004 - 4xx
            return RobotsRules()
        case _:
            return RobotsRules(unreachable=_why(outcome))


def _parsed(file: Fetched, agent: str) -> RobotsRules:
    body = file.body[:MOST_ROBOTS_BYTES]
    if len(body) < len(file.body) or file.truncated:
        # "Disallow: /private" cut short would forbid the whole site.
        body = body[: body.rfind(b"\n") + 1]
    rules = Protego.parse(body.decode("utf-8-sig", errors="replace"))
    return RobotsRules(
        asked_delay_seconds=rules.crawl_delay(agent),
        sitemaps=tuple(rules.sitemaps),
        _agent=agent,
        _file=rules,
    )


def _why(outcome: Outcome) -> str:
    return getattr(outcome, "reason", "") or f"robots.txt answered {type(outcome).__name__}"
