"""What a site says about itself in its robots.txt, read through the HTTP client."""

from collections.abc import Iterator
from typing import Protocol

from psycopg import Connection

from omni_pipeline.domain.crawl.robots import (
    MAX_DELAY_SECONDS,
    MAX_ROBOTS_BYTES,
    MAX_ROBOTS_REDIRECTS,
    RobotsRules,
    have_same_rules,
    robots_text,
    rules_from,
    rules_from_copy,
)
from omni_pipeline.domain.web.outcomes import Fetched, FetchRequest, Outcome
from omni_pipeline.errors import PermanentError
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.crawl import raw_pages, robots_files
from omni_pipeline.store.crawl.robots_files import RobotsCopy
from omni_pipeline.store.jobs.crawl_jobs import Claim

# RFC 9309, 2.3.1.4: after 30 days without an answer the copy has had its time.
MAX_COPY_AGE_SECONDS = 30 * 86_400.0


class Web(Protocol):
    """What the crawl needs of the HTTP client."""

    def fetch(self, request: FetchRequest, *, delay_seconds: float = 0.0) -> Outcome: ...

    def fetch_all(
        self, requests: Iterator[FetchRequest | None], *, concurrency: int, delay_seconds: float
    ) -> Iterator[Outcome]: ...

    def fetch_following(
        self, url: str, *, hops: int, max_bytes: int, delay_seconds: float = 0.0
    ) -> Outcome: ...


class RobotsCopies(Protocol):
    """Where the last robots.txt of each origin is kept."""

    def find(self, origin: str) -> RobotsCopy | None: ...

    def keep(self, origin: str, content: str, *, has_other_rules: bool) -> None: ...


class KeptCopies:
    """The copies of a claimed domain, in Postgres.

    Under other rules its pages have to be sent whole once more: a page that answers "not modified"
    does not offer the links that may be followed only now.
    """

    def __init__(self, refresh: Refresh) -> None:
        self._refresh = refresh

    def find(self, origin: str) -> RobotsCopy | None:
        return self._refresh.read(robots_files.find, origin)

    def keep(self, origin: str, content: str, *, has_other_rules: bool) -> None:
        self._refresh.write(_keep, origin, content, has_other_rules=has_other_rules)


def _keep(
    conn: Connection, claim: Claim, origin: str, content: str, *, has_other_rules: bool
) -> None:
    robots_files.keep(conn, claim, origin, content)
    if has_other_rules:
        raw_pages.forget_validators(conn, claim)


class Robots:
    """The robots rules of each origin that a crawl meets, fetched once per crawl.

    While an origin cannot be asked, what it said last rules on, for up to 30 days (RFC 9309,
    2.3.1.4); without a copy everything is disallowed.

    Args:
        web: The client.
        user_agent: Whose rules they are.
        copies: Where the last ones are kept, if they are.
        delay_seconds: Least time after the last request to the same host.
    """

    def __init__(
        self,
        web: Web,
        user_agent: str,
        copies: RobotsCopies | None = None,
        *,
        delay_seconds: float = 0.0,
    ) -> None:
        self._web = web
        self._delay_seconds = delay_seconds
        self._user_agent = user_agent
        self._copies = copies
        self._rules: dict[str, RobotsRules] = {}
        self.notes: list[str] = []

    def of(self, url: str) -> RobotsRules:
        """The rules that hold for ``url``."""
        origin = url[: url.index("/", len("https://"))]
        if origin not in self._rules:
            self._rules[origin] = self._ask(origin)
        return self._rules[origin]

    def allows(self, url: str) -> bool:
        """Whether robots.txt lets us fetch ``url``."""
        return self.of(url).allows(url)

    def _ask(self, origin: str) -> RobotsRules:
        outcome = self._web.fetch_following(
            f"{origin}/robots.txt",
            hops=MAX_ROBOTS_REDIRECTS,
            max_bytes=MAX_ROBOTS_BYTES,
            delay_seconds=self._delay_seconds,
        )
        rules = rules_from(outcome, self._user_agent)
        if self._copies is None:
            return rules
        copy = self._copies.find(origin)
        if rules.unreachable is None:
            content = robots_text(outcome) if isinstance(outcome, Fetched) else ""
            is_other = copy and not have_same_rules(copy.content, content, self._user_agent)
            self._copies.keep(origin, content, has_other_rules=bool(is_other))
            return rules
        if copy is None or copy.age_seconds > MAX_COPY_AGE_SECONDS:
            return rules
        self.notes.append(
            f"{origin}/robots.txt could not be read ({rules.unreachable}); its copy of "
            f"{copy.age_seconds / 3600:.0f} h ago ruled this crawl."
        )
        return rules_from_copy(copy.content, self._user_agent)


def refuse_slow_site(rules: RobotsRules, host: str) -> None:
    """A site that asks for more than the longest delay we keep is not crawled at all (F-D19)."""
    if (rules.asked_delay_seconds or 0.0) > MAX_DELAY_SECONDS:
        raise PermanentError(
            f"The robots.txt of {host} asks for {rules.asked_delay_seconds:g} s between requests, "
            f"and more than {MAX_DELAY_SECONDS:.0f} s is not crawled. Ask its owner for less, or "
            f"pause it: omni domains pause {host}.",
            kind="permanent.crawl_delay",
        )
