"""Step 2: turn fetched bodies into markdown; a body that says the same costs nothing further on."""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline.domain.cleaning import CLEANER_VERSION, CleanedPage, Unreadable, clean
from omni_pipeline.steps.refresh import Progress, Refresh
from omni_pipeline.store import cleaned_pages, crawl_jobs, failed_pages, raw_pages
from omni_pipeline.store.cleaned_pages import NewText
from omni_pipeline.store.crawl_jobs import Claim, Counters
from omni_pipeline.store.failed_pages import Failure
from omni_pipeline.store.raw_pages import DuePage

# Bodies are up to 10 MB each, so a batch is small.
BATCH_PAGES = 20


@dataclass(frozen=True, kw_only=True)
class CleanedPagesReport:
    """Pages looked at, those whose text differs from before, and those that could not be read."""

    pages_cleaned: int
    pages_changed: int
    pages_failed: int


def clean_pages(refresh: Refresh) -> CleanedPagesReport:
    """Clean every live page whose body or whose cleaner changed.

    A page that cannot be read keeps the text it had; the failure is on the ledger.
    """
    cleaned = changed = failed = 0
    after_id = 0
    with refresh.stage("cleaned_pages"):
        while due := refresh.read(
            raw_pages.due_for_cleaning,
            cleaner_version=CLEANER_VERSION,
            after_id=after_id,
            most=BATCH_PAGES,
        ):
            texts, failures = _clean_batch(due)
            changed += refresh.write(_save, texts, failures, [page.url for page in due])
            cleaned += len(due)
            failed += len(failures)
            after_id = due[-1].page_id
            refresh.report(
                Progress(stage="cleaned_pages", done=cleaned, known=cleaned, failed=failed)
            )
    return CleanedPagesReport(pages_cleaned=cleaned, pages_changed=changed, pages_failed=failed)


def _clean_batch(due: list[DuePage]) -> tuple[list[NewText], list[Failure]]:
    texts: list[NewText] = []
    failures: list[Failure] = []
    for page in due:
        match clean(page.html, url=page.url):
            case CleanedPage() as text:
                texts.append(_new_text(page, text))
            case Unreadable(kind=kind, reason=reason):
                failures.append(Failure(url=page.url, kind=kind, reason=reason))
    return texts, failures


def _new_text(page: DuePage, text: CleanedPage) -> NewText:
    return NewText(
        page_id=page.page_id,
        body_hash=page.body_hash,
        content_hash=text.content_hash,
        title=text.title,
        description=text.description,
        language=text.language,
        canonical_url=text.canonical_url,
        markdown=text.markdown,
    )


def _save(
    conn: Connection,
    holding: Claim,
    texts: list[NewText],
    failures: list[Failure],
    urls: list[str],
) -> int:
    """Write a batch; returns how many texts differ from before."""
    failed = {failure.url for failure in failures}
    failed_pages.resolve(conn, holding, set(urls) - failed, "clean")
    failed_pages.record(conn, holding, "clean", failures)
    crawl_jobs.add_to_counters(conn, holding, Counters(pages_cleaned=len(texts)))
    return cleaned_pages.save(conn, holding, texts, cleaner_version=CLEANER_VERSION)
