"""`omni scrape`: one page as the index would see it; works without any database."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from omni_pipeline.commands.console import err, print_json
from omni_pipeline.errors import PermanentError

if TYPE_CHECKING:
    from omni_pipeline.domain.chunks.chunking import Chunker
    from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable
    from omni_pipeline.domain.web.outcomes import Rendering
    from omni_pipeline.steps.explore.page_preview import ScrapedPage

LABEL_WIDTH = 12


def scrape(
    url: Annotated[str, typer.Argument(help="The page's URL.")],
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--http",
            help="As a browser shows it, or as it is sent; else whichever it needs.",
            show_default=False,
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the HTML instead of its text.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Fetch one page by the crawl's own rules and print its text as Markdown; nothing is kept.

    What is known of the page goes to standard error, so that the text can be piped.
    """
    from omni_pipeline.commands.site_session import open_site_session
    from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable
    from omni_pipeline.steps.explore.page_preview import scrape as scrape_page

    rendering: Rendering = "auto" if browser is None else "browser" if browser else "http"
    with open_site_session(url) as site_session:
        asked = site_session.site.start_url
        page = scrape_page(
            site_session.web, asked, user_agent=site_session.user_agent, rendering=rendering
        )
        facts = _page_facts(asked, page)
        match page.text:
            case CleanedPage() as text:
                content = text.markdown
                facts |= _text_facts(text, site_session.chunker, site_session.model.name)
            case Unreadable() as reason:
                content = ""
                if not raw:
                    raise _no_text(page, reason)
    content = page.reading.html if raw else content
    if as_json:
        print_json({**facts, "html" if raw else "markdown": content})
    else:
        _print_facts(facts)
        sys.stdout.write(content.rstrip() + "\n")


def _no_text(page: "ScrapedPage", text: "Unreadable") -> PermanentError:
    url = page.document.url
    remedy = (
        f"Its HTML: omni scrape --browser --raw {url}"
        if page.document.is_rendered
        else f"If its text is written by scripts: omni scrape --browser {url}"
    )
    return PermanentError(
        f"{url} was fetched, but {text.reason} ({text.kind}). {remedy}", kind=text.kind
    )


def _page_facts(asked: str, page: "ScrapedPage") -> dict[str, Any]:
    document, reading = page.document, page.reading
    return {
        "asked_url": asked,
        "url": document.url,
        "redirects": [hop.target for hop in page.redirects],
        "status": document.status,
        "rendered_by": "browser" if document.is_rendered else "http",
        "seconds": round(document.elapsed_seconds, 3),
        "content_type": document.content_type,
        "charset": reading.charset,
        "bytes": len(document.body),
        "links": len(reading.links),
        "left_out_because": reading.leaves.reason if reading.leaves else None,
    }


def _text_facts(text: "CleanedPage", chunker: "Chunker", model: str) -> dict[str, Any]:
    chunks = chunker.split(text.markdown)
    return {
        "title": text.title,
        "language": text.language,
        "description": text.description,
        "canonical_url": text.canonical_url,
        "published_on": text.published_on,
        "modified_on": text.modified_on,
        "breadcrumbs": text.breadcrumbs,
        "words": len(text.markdown.split()),
        "characters": len(text.markdown),
        "chunks": len(chunks),
        "tokens": sum(chunk.token_count for chunk in chunks),
        "model": model,
    }


def _print_facts(facts: dict[str, Any]) -> None:
    err.print(f"[bold]{escape(facts['asked_url'])}[/]")
    for target in facts["redirects"]:
        _line("redirects to", target)
    sent = "as a browser shows it" if facts["rendered_by"] == "browser" else "as it is sent"
    _line(
        "answer",
        f"{facts['status']}, {facts['content_type'] or 'no type named'}, {facts['charset']}, "
        f"{facts['bytes']:,} bytes in {facts['seconds']:.2f} s, {sent}",
    )
    for name, label in (
        ("title", "title"),
        ("language", "language"),
        ("description", "description"),
        ("canonical_url", "canonical"),
    ):
        _line(label, facts.get(name))
    for name, label in (("published_on", "published"), ("modified_on", "modified")):
        _line(label, facts[name].isoformat() if facts.get(name) else None)
    _line("within", " > ".join(facts.get("breadcrumbs", ())))
    if "words" in facts:
        chunks = f"{facts['chunks']:,} chunk{'' if facts['chunks'] == 1 else 's'}"
        _line(
            "size",
            f"{facts['words']:,} words, {facts['characters']:,} characters, "
            f"{chunks} with {facts['tokens']:,} tokens",
        )
    _line("links", f"{facts['links']:,} to follow")
    if facts["left_out_because"]:
        _line("note", f"a refresh would leave this page out: {facts['left_out_because']}")
    err.print("")


def _line(label: str, value: str | None) -> None:
    if value:
        err.print(f"  {label:<{LABEL_WIDTH}}  {escape(value)}")
