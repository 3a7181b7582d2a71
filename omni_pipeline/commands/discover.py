"""`omni discover`: what a site is like, before it is registered; works without any database."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.markup import escape

from omni_pipeline.commands.console import err, out, print_json, print_table, say, warn
from omni_pipeline.domain.crawl.options import DEFAULT_PAGE_LIMIT, CrawlOptions
from omni_pipeline.domain.embedding.token_prices import price_per_million
from omni_pipeline.steps.explore.site_report import (
    Estimate,
    RobotsReport,
    SampledPage,
    SitemapReport,
    SiteReport,
)
from omni_pipeline.steps.run.progress import describe_seconds

LABEL_WIDTH = 11
CENT = 0.01


def discover(
    site: Annotated[str, typer.Argument(help="A host or the URL where crawling would start.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Look at a site's robots.txt, sitemaps and at most five pages; nothing is kept."""
    from omni_pipeline.commands.site_session import open_site_session
    from omni_pipeline.steps.explore.site_survey import discover as survey_site

    with open_site_session(site) as site_session:
        price = price_per_million(site_session.settings.embedding, site_session.model.name)
        if not as_json:
            err.print(f"Looking at {escape(site_session.site.start_url)} …")
        report = survey_site(
            site_session.web,
            site_session.site,
            user_agent=site_session.user_agent,
            delay_seconds=CrawlOptions.delay_seconds,
            count_tokens=lambda text: sum(c.token_count for c in site_session.chunker.split(text)),
            dollars_per_million_tokens=None if price is None else float(price),
        )
        model = site_session.model.name
    if as_json:
        print_json({**vars(report), "model": model, "next_commands": report.next_commands})
    else:
        _print_report(report, model)


def _print_report(report: SiteReport, model: str) -> None:
    _line("robots.txt", _robots(report.robots))
    if report.moved_to:
        _line("moved", f"the start page leads to another site: {report.moved_to}")
    elif report.sample:
        _line("sitemap", _sitemap(report.sitemap))
        _line("rendering", _rendering(report))
        for page in report.need_browser[:1]:
            _line("", f"the first {page.script_evidence}")
        _line("data", _data(report))
    if report.estimate:
        for label, value in _estimate(report.estimate, model):
            _line(label, value)
    for problem in report.sitemap.problems[:3]:
        warn(problem)
    if report.sample and not report.moved_to:
        _print_sample(report.sample)
    _print_next(report)


def _line(label: str, value: str) -> None:
    out.print(f"[bold]{label:<{LABEL_WIDTH}}[/] {escape(value)}")


def _robots(robots: RobotsReport) -> str:
    if robots.unreachable:
        return f"could not be read, so everything is disallowed: {robots.unreachable}"
    parts = [f"{'allows' if robots.allows_start else 'forbids'} the start page"]
    if robots.asked_delay_seconds is not None:
        longest = ", which is too long to crawl" if robots.is_too_slow else ""
        parts.append(f"asks for {robots.asked_delay_seconds:g} s between requests{longest}")
    count = len(robots.sitemaps)
    parts.append(f"names {count or 'no'} sitemap{'' if count == 1 else 's'}")
    return ", ".join(parts)


def _sitemap(sitemap: SitemapReport) -> str:
    if not sitemap.urls:
        return "could not be read" if sitemap.problems else "none found"
    parts = [f"{'more than ' if sitemap.is_cut else ''}{sitemap.urls:,} URLs"]
    if sitemap.disallowed:
        parts.append(f"{sitemap.disallowed:,} of them forbidden by robots.txt")
    if sitemap.newest:
        parts.append(f"newest change {sitemap.newest:%Y-%m-%d}")
    return ", ".join(parts)


def _rendering(report: SiteReport) -> str:
    looked = len([page for page in report.sample if page.script_evidence or not page.problem])
    needy = report.need_browser
    if not looked:
        return "unknown: no page could be read"
    if not needy:
        return "plain HTTP is enough for all sampled pages"
    return f"{len(needy)} of {looked} sampled pages seem to need a browser"


def _data(report: SiteReport) -> str:
    kinds = [f"{kind} ({count})" for kind, count in report.declared.most_common(8)]
    return ", ".join(kinds) or "no JSON-LD, microdata or Open Graph type on the sampled pages"


def _estimate(guess: Estimate, model: str) -> Iterator[tuple[str, str]]:
    """Everything here is a guess, and says so."""
    about = "at least" if guess.is_minimum else "about"
    why = "known from links only" if guess.is_minimum else "listed and linked"
    cut = " (the limit of a crawl unless raised)" if guess.pages > DEFAULT_PAGE_LIMIT else ""
    yield "pages", f"{about} {guess.pages:,}, {why}{cut}"
    if guess.tokens is not None:
        yield "tokens", f"{about} {_round(guess.tokens)} of {model}, estimated from the sample"
        yield "cost", _cost(guess, about)
    seconds = f"{about} {describe_seconds(guess.seconds)} for a first crawl"
    yield "time", f"{seconds}, estimated at {guess.delay_seconds:g} s a page"


def _cost(guess: Estimate, about: str) -> str:
    if guess.dollars is None:
        return "unknown: what this model costs is not known here"
    if not guess.dollars:
        return "free: this model's tokens cost nothing here"
    amount = f"{about} ${guess.dollars:,.2f}" if guess.dollars >= CENT else "below one cent"
    price = f"${guess.dollars_per_million_tokens:g} a million tokens"
    return f"{amount} for a first refresh, estimated at {price}"


def _round(number: int) -> str:
    """Two digits: more would be a lie."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _print_sample(sample: tuple[SampledPage, ...]) -> None:
    say("")
    print_table(
        ["words", "tokens", "sampled page"],
        [(page.words or None, page.tokens or None, page.url) for page in sample],
        right=["words", "tokens"],
    )
    for page in sample:
        if page.problem:
            warn(f"{page.url}: {page.problem}" if page.url not in page.problem else page.problem)


def _print_next(report: SiteReport) -> None:
    if not report.next_commands:
        warn("It cannot be crawled as it is; see above.")
        return
    say("")
    say("Go on with:")
    for command in report.next_commands:
        say(f"  {command}")
