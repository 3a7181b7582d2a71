"""Sites on paper, and what the index must hold of them: rules of evidence without a crawler."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from omni_pipeline_tests.sites import Page, Script, redirect
from omni_pipeline_tests.steps.crawl.scripted_crawls import page

Kind = Literal["page", "missing", "gone", "broken", "noindex", "moved", "away"]

# Pages that others redirect to, or name as their own URL: these never leave.
ANCHORS = tuple(f"/anchor-{number}" for number in range(4))
PATHS = tuple(f"/page-{number}" for number in range(18))
COPIES = {f"{anchor}?sort=name": anchor for anchor in ANCHORS[:2]}
EVERY = ("/", *ANCHORS, *PATHS, *COPIES)
OFTEN: tuple[Kind, ...] = ("page",) * 8
SELDOM: tuple[Kind, ...] = ("missing", "gone", "broken", "noindex", "moved", "away")


@dataclass(kw_only=True)
class ModelPage:
    kind: Kind = "page"
    links: tuple[str, ...] = ()
    target: str = ANCHORS[0]
    version: int = 0


@dataclass(kw_only=True)
class ModelSite:
    """A site that changes by chance.

    Attributes:
        has_etags: It answers "not modified"; then its sitemap lists every page.
        listed: In the sitemap.
        forbidden: By robots.txt.
        excluded: By the domain's configuration.
    """

    chance: random.Random
    has_etags: bool = False
    pages: dict[str, ModelPage] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    excluded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for path in EVERY:
            self.pages[path] = ModelPage(links=self._some(6), target=self.chance.choice(ANCHORS))
        self.pages["/"].links += ANCHORS
        for anchor in ANCHORS:
            self.pages[anchor].kind = self.chance.choice(("page", "page", "broken"))
        self._list()

    def change(self) -> None:
        for path, now in self.pages.items():
            if self.chance.random() < 0.2:
                now.version += 1
                now.links = self._some(6)
            if path in PATHS and self.chance.random() < 0.35:
                now.kind = self.chance.choice(OFTEN + SELDOM)
                now.target = self.chance.choice(ANCHORS)
            elif path in ANCHORS and self.chance.random() < 0.2:
                now.kind = self.chance.choice(("page", "page", "broken"))
        if self.chance.random() < 0.15:  # a bad deploy
            for path in PATHS[: self.chance.randrange(len(PATHS))]:
                self.pages[path].kind = "missing"
        if self.chance.random() < 0.5:
            self.forbidden = set(self._some(3)) - {"/"}
        if self.chance.random() < 0.5:
            self.excluded = {path for path in self._some(3) if path in PATHS}
        self._list()

    def _list(self) -> None:
        self.listed = set(EVERY) if self.has_etags else set(self._some(8))

    def _some(self, limit: int) -> tuple[str, ...]:
        return tuple(self.chance.sample(EVERY, self.chance.randrange(limit + 1)))

    def scripts(self, url: str) -> dict[str, Script]:
        """The site as it answers; ``url`` is its address with a slash at the end."""
        root = url.rstrip("/")
        locs = "".join(f"<url><loc>{root}{path}</loc></url>" for path in sorted(self.listed))
        rules = "".join(f"Disallow: {path}$\n" for path in sorted(self.forbidden))
        return {
            "/robots.txt": Page(body=f"User-agent: *\n{rules}".encode()),
            "/sitemap.xml": Page(body=f"<urlset>{locs}</urlset>".encode()),
            **{path: self._script(path) for path in self.pages},
        }

    def _script(self, path: str) -> Page:
        now = self.pages[path]
        match now.kind:
            case "missing" | "gone" | "broken":
                return Page(status={"missing": 404, "gone": 410, "broken": 500}[now.kind])
            case "moved" | "away":
                return redirect(now.target, 301 if now.kind == "moved" else 302)
            case _:
                noindex = '<meta name="robots" content="noindex">' if now.kind == "noindex" else ""
                own = f'<link rel="canonical" href="{COPIES[path]}">' if path in COPIES else ""
                title = f"{path} in version {now.version}"
                body = page(*now.links, title=title, head=noindex + own)
                # A copy that stays the same to the byte would be "not modified" for ever.
                has_etag = self.has_etags and path not in COPIES
                etag = f'"{hash(body)}"' if has_etag else None
                return Page(body=body.encode(), headers={"content-type": "text/html"}, etag=etag)

    def may_ask(self, path: str) -> bool:
        return path not in self.forbidden and (path not in self.excluded or path == "/")


@dataclass(kw_only=True)
class Verdict:
    """What a refresh must come to; whether a redirect is a failure is not said."""

    live: set[str]
    held: set[str]
    asked: set[str]
    failing: set[str]
    redirecting: set[str]


def judge(site: ModelSite, before: set[str], retried: Iterable[str] = ()) -> Verdict:
    """What the index holds after a refresh, by the rules of evidence alone.

    Args:
        site: As it stands during the refresh.
        before: What was live.
        retried: Failed pages that are asked for in any case.
    """
    asked = set(
        _reach(site, {*before, "/", *retried} | {p for p in site.listed if site.may_ask(p)})
    )
    of_kind = {path: site.pages[path].kind for path in asked}
    copies = asked & COPIES.keys()
    shown = before | {path for path in asked - copies if of_kind[path] == "page"}
    kept = {path for path in copies if COPIES[path] not in shown}
    shown |= kept
    lost = {path for path in asked & before if of_kind[path] in ("missing", "gone", "noindex")}
    lost |= (before & site.excluded) - {"/"}
    moves = {
        path: site.pages[path].target
        for path in asked & before
        if of_kind[path] == "moved" and site.pages[path].target in shown
    }
    crowds = Counter(moves.values())
    doubtful = lost | {path for path, target in moves.items() if crowds[target] >= 5}
    leaving = lost | moves.keys() | ((copies & before) - kept)
    is_held = len(doubtful) >= 10 and len(doubtful) > 0.3 * len(shown)
    return Verdict(
        live=shown if is_held else shown - leaving,
        held=leaving if is_held else set(),
        asked=asked,
        failing={path for path in asked if of_kind[path] == "broken"},
        redirecting={path for path in asked if of_kind[path] in ("moved", "away")},
    )


def _reach(site: ModelSite, seeds: set[str]) -> Iterator[str]:
    """Every page that may be asked for: the seeds, what they link to and where they redirect."""
    queue, met = sorted(seeds), set(seeds)
    while queue:
        path = queue.pop()
        if not site.may_ask(path):
            continue
        yield path
        now = site.pages[path]
        found: set[str] = set()
        if now.kind in ("page", "noindex"):
            found = {*now.links, *([COPIES[path]] if path in COPIES else [])}
        elif now.kind in ("moved", "away"):
            found = {now.target}
        fresh = {other for other in found if other not in met and site.may_ask(other)}
        met |= fresh
        queue.extend(sorted(fresh))
