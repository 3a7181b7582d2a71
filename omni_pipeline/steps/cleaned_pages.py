"""Step 2: turn fetched bodies into markdown; a body that says the same costs nothing further on."""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.cleaning import CLEANER_VERSION, CleanedPage, Unreadable, clean
from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.steps.refresh import Progress, Refresh
from omni_pipeline.steps.retirement import is_implausible
from omni_pipeline.store import cleaned_pages, crawl_jobs, failed_pages, held_pages, raw_pages
from omni_pipeline.store.cleaned_pages import NewText
from omni_pipeline.store.crawl_jobs import Claim, Counters
from omni_pipeline.store.failed_pages import Failure
from omni_pipeline.store.raw_pages import DuePage

# Bodies are up to 10 MB each, so a batch is small.
BATCH_PAGES = 20

# A page that loses more of its text than this has shrunk; a short one may lose it all (D36).
MOST_SHRINKAGE = 0.8
FEWEST_CHARACTERS = 200

# An empty page is believed the third time: until then it may be a bad day of the site's (D34).
EMPTY = "suspicious.empty"
LOOKS_AT_EMPTY = 3


@dataclass(frozen=True, kw_only=True)
class CleanedPagesReport:
    """Pages looked at, those whose text differs from before, and those that could not be read.

    Attributes:
        pages_held: Shrunk, and so many that a person has to confirm it; they keep their old text.
    """

    pages_cleaned: int
    pages_changed: int
    pages_failed: int
    pages_held: int


def clean_pages(refresh: Refresh) -> CleanedPagesReport:
    """Clean every live page whose body or whose cleaner changed.

    A page that cannot be read keeps the text it had; the failure is on the ledger. So do pages
    that lost most of their text, when they are so many at once that the site seems to show
    something else in their place: a cookie wall, a login, an error (D36).
    """
    with refresh.stage("cleaned_pages"):
        return _Cleaning(refresh).run()


class _Cleaning:
    """One pass over the pages that are due; those that shrank wait until all are known."""

    def __init__(self, refresh: Refresh) -> None:
        self._refresh = refresh
        self._cleaned = self._changed = self._failed = 0
        self._due = refresh.read(raw_pages.count_due_for_cleaning, cleaner_version=CLEANER_VERSION)
        self._shrunk: dict[int, str] = {}

    def run(self) -> CleanedPagesReport:
        self._refresh.write(failed_pages.resolve_readable_again)
        self._clean(only=None)
        shrunk, self._shrunk = self._shrunk, {}
        held = self._refresh.write(_hold_if_implausible, list(shrunk.values()))
        if shrunk and not held:
            self._clean(only=list(shrunk))
        return CleanedPagesReport(
            pages_cleaned=self._cleaned,
            pages_changed=self._changed,
            pages_failed=self._failed,
            pages_held=held,
        )

    def _clean(self, *, only: list[int] | None) -> None:
        after_id = 0
        while due := self._refresh.read(
            raw_pages.due_for_cleaning,
            cleaner_version=CLEANER_VERSION,
            after_id=after_id,
            most=BATCH_PAGES,
            only=only,
        ):
            after_id = due[-1].page_id
            self._save(due, believes_all=only is not None)

    def _save(self, due: list[DuePage], *, believes_all: bool) -> None:
        texts, failures = _clean_batch(due)
        failures = self._believe_empty(due, texts, failures)
        if not believes_all:
            shrunk = {page.page_id: page.url for page in due if _has_shrunk(page, texts)}
            self._shrunk.update(shrunk)
            due = [page for page in due if page.page_id not in shrunk]
            texts = {page_id: text for page_id, text in texts.items() if page_id not in shrunk}
        urls = [page.url for page in due]
        self._changed += self._refresh.write(_save, list(texts.values()), failures, urls)
        faults.point("CP05")
        self._cleaned += len(due)
        self._failed += len(failures)
        self._refresh.report(
            Progress(
                stage="cleaned_pages", done=self._cleaned, known=self._due, failed=self._failed
            )
        )

    def _believe_empty(
        self, due: list[DuePage], texts: dict[int, NewText], failures: list[Failure]
    ) -> list[Failure]:
        """Take pages that were found empty often enough as empty; returns the other failures."""
        empty = [failure.url for failure in failures if failure.kind == EMPTY]
        if not empty:
            return failures
        attempts = self._refresh.read(failed_pages.count_attempts, empty, stage="clean", kind=EMPTY)
        believed = {url for url in empty if attempts.get(url, 0) + 1 >= LOOKS_AT_EMPTY}
        texts.update({page.page_id: _no_text(page) for page in due if page.url in believed})
        return [failure for failure in failures if failure.url not in believed]


def _no_text(page: DuePage) -> NewText:
    return NewText(
        page_id=page.page_id,
        body_hash=page.body_hash,
        content_hash=text_hash(""),
        title="",
        description=None,
        language=None,
        canonical_url=None,
        markdown="",
    )


def _has_shrunk(page: DuePage, texts: dict[int, NewText]) -> bool:
    before = page.characters_before or 0
    text = texts.get(page.page_id)
    if text is None or before < FEWEST_CHARACTERS:
        return False
    return len(text.markdown) < before * (1 - MOST_SHRINKAGE)


def _hold_if_implausible(conn: Connection, holding: Claim, urls: list[str]) -> int:
    """Hold the shrunk pages when they are too many to be believed; returns how many are held."""
    doubtful = set(urls) - held_pages.confirmed_among(conn, holding, urls)
    if is_implausible(len(doubtful), raw_pages.count_live(conn, holding)):
        held_pages.hold(conn, holding, dict.fromkeys(urls, held_pages.SHRUNK))
        return len(urls)
    held_pages.release_others(conn, holding, {}, is_shrinkage=True)
    return 0


def _clean_batch(due: list[DuePage]) -> tuple[dict[int, NewText], list[Failure]]:
    """Texts by page id, and the pages that have none."""
    texts: dict[int, NewText] = {}
    failures: list[Failure] = []
    for page in due:
        match clean(page.html, url=page.url):
            case CleanedPage() as text:
                texts[page.page_id] = _new_text(page, text)
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
