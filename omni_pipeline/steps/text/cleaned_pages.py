"""Step 2: turn fetched bodies into markdown; a body that says the same costs nothing further on."""

from dataclasses import dataclass

from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.mass_loss import is_implausible
from omni_pipeline.domain.text.changes import describe_changes
from omni_pipeline.domain.text.cleaning import CLEANER_VERSION, CleanedPage, Unreadable
from omni_pipeline.gateways.cleaning.pool import Cleaner, CleaningLimits, open_cleaner
from omni_pipeline.steps.run.claimed_refresh import Progress, Refresh
from omni_pipeline.steps.text.boilerplate_learning import SampleText, learn_boilerplate
from omni_pipeline.steps.text.page_texts import Answers, has_shrunk, new_text, no_text
from omni_pipeline.store.crawl import failed_pages, held_pages, raw_pages
from omni_pipeline.store.crawl.failed_pages import Failure
from omni_pipeline.store.crawl.raw_pages import DuePage
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Claim, Counters
from omni_pipeline.store.text import boilerplate_samples, cleaned_pages
from omni_pipeline.store.text.cleaned_pages import NewText

# Bodies are up to 10 MB each, so a batch is small.
BATCH_PAGES = 20

# An empty page is believed the third time: until then it may be a bad day of the site's (F-D34).
EMPTY = "suspicious.empty"
LOOKS_AT_EMPTY = 3

# So many pages that nobody edited are brought to another decision on boilerplate in one refresh:
# each may cost vectors.
MAX_CAUGHT_UP_SHARE = 0.1
MAX_CAUGHT_UP_OF_FEW = 20

CHANGES_LISTED = 10


@dataclass(frozen=True, kw_only=True)
class CleanedPagesReport:
    """Pages looked at, those whose text differs from before, and those that could not be read.

    Attributes:
        pages_held: Shrunk, and so many that a person has to confirm it; they keep their old text.
        pages_caught_up: Unchanged, and cleaned by what is known of boilerplate now.
        pages_behind: Those that later refreshes will bring there.
        changes: What is new, changed and gone since the last refresh that came to its end, a line
            for each page; of many, some.
    """

    pages_cleaned: int
    pages_changed: int
    pages_failed: int
    pages_held: int
    pages_caught_up: int = 0
    pages_behind: int = 0
    changes: tuple[str, ...] = ()


def clean_pages(
    refresh: Refresh,
    limits: CleaningLimits = CleaningLimits(),  # noqa: B008 - frozen
) -> CleanedPagesReport:
    """Clean every live page whose body or whose cleaner changed.

    A page that cannot be read keeps the text it had; the failure is on the ledger. So do pages
    that lost most of their text, when they are so many at once that the site seems to show
    something else in their place: a cookie wall, a login, an error (F-D36).
    """
    with refresh.stage("cleaned_pages"):
        backlog = refresh.read(raw_pages.count_due_for_cleaning, cleaner_version=CLEANER_VERSION)
        with open_cleaner(
            total_bytes=backlog.total_bytes, largest_bytes=backlog.largest_bytes, limits=limits
        ) as cleaner:
            return _Cleaning(refresh, cleaner, backlog.pages).run()


class _Cleaning:
    """One pass over the pages that are due; those that shrank wait until all are known."""

    def __init__(self, refresh: Refresh, cleaner: Cleaner, due: int) -> None:
        self._refresh = refresh
        self._answers = Answers(cleaner)
        self._due = due
        self._cleaned = self._changed = self._failed = 0
        self._shrunk: dict[int, str] = {}
        self._decision = refresh.read(boilerplate_samples.decision)

    def run(self) -> CleanedPagesReport:
        self._refresh.write(failed_pages.resolve_readable_again)
        if self._due:
            self._decision = learn_boilerplate(self._refresh, self._look)
        self._clean(only=None)
        shrunk, self._shrunk = self._shrunk, {}
        held = self._refresh.write(_hold_if_implausible, list(shrunk.values()))
        if shrunk and not held:
            self._clean(only=list(shrunk))
        caught_up, behind = self._catch_up()
        changes = self._refresh.read(cleaned_pages.changes, max_of_a_kind=CHANGES_LISTED)
        return CleanedPagesReport(
            pages_cleaned=self._cleaned,
            pages_changed=self._changed,
            pages_failed=self._failed,
            pages_held=held,
            pages_caught_up=caught_up,
            pages_behind=behind,
            changes=describe_changes(changes),
        )

    def _look(self, ids: list[int]) -> list[SampleText]:
        """Clean pages of the sample; what became of their text is judged as when it is written."""
        due = self._read(only=ids)
        return [
            SampleText(page=page, answer=answer, is_trusted=not self._is_doubtful(page, answer))
            for page, answer in zip(due, self._answers.of(due, keeps=True), strict=True)
        ]

    def _is_doubtful(self, page: DuePage, answer: CleanedPage | Unreadable) -> bool:
        if isinstance(answer, Unreadable):
            return True
        return has_shrunk(page, new_text(page, answer, self._decision))

    def _catch_up(self) -> tuple[int, int]:
        """Bring some of the pages that nobody edited to the decision; says how many wait."""
        version = self._decision.version
        waiting = self._refresh.read(cleaned_pages.count_behind, boilerplate_version=version)
        if not waiting:
            return 0, 0
        live = self._refresh.read(raw_pages.count_live)
        limit = max(MAX_CAUGHT_UP_OF_FEW, int(MAX_CAUGHT_UP_SHARE * live))
        behind = self._refresh.read(cleaned_pages.behind, boilerplate_version=version, limit=limit)
        self._due += len(behind)
        self._clean(only=behind)
        return len(behind), waiting - len(behind)

    def _clean(self, *, only: list[int] | None) -> None:
        after_id = 0
        while due := self._read(only=only, after_id=after_id):
            after_id = due[-1].page_id
            self._save(due, believes_all=only is not None)

    def _read(self, *, only: list[int] | None, after_id: int = 0) -> list[DuePage]:
        return self._refresh.read(
            raw_pages.due_for_cleaning,
            cleaner_version=CLEANER_VERSION,
            after_id=after_id,
            limit=BATCH_PAGES,
            only=only,
        )

    def _save(self, due: list[DuePage], *, believes_all: bool) -> None:
        texts, failures = self._sort_out(due)
        failures = self._believe_empty(due, texts, failures)
        if not believes_all:
            shrunk = {
                page.page_id: page.url for page in due if has_shrunk(page, texts.get(page.page_id))
            }
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

    def _sort_out(self, due: list[DuePage]) -> tuple[dict[int, NewText], list[Failure]]:
        """Texts by page id, and the pages that have none."""
        texts: dict[int, NewText] = {}
        failures: list[Failure] = []
        for page, answer in zip(due, self._answers.of(due), strict=True):
            match answer:
                case CleanedPage() as text:
                    texts[page.page_id] = new_text(page, text, self._decision)
                case Unreadable(kind=kind, reason=reason):
                    failures.append(Failure(url=page.url, kind=kind, reason=reason))
        return texts, failures

    def _believe_empty(
        self, due: list[DuePage], texts: dict[int, NewText], failures: list[Failure]
    ) -> list[Failure]:
        """Take pages that were found empty often enough as empty; returns the other failures."""
        empty = [failure.url for failure in failures if failure.kind == EMPTY]
        if not empty:
            return failures
        attempts = self._refresh.read(failed_pages.count_attempts, empty, stage="clean", kind=EMPTY)
        believed = {url for url in empty if attempts.get(url, 0) + 1 >= LOOKS_AT_EMPTY}
        texts.update({page.page_id: no_text(page) for page in due if page.url in believed})
        return [failure for failure in failures if failure.url not in believed]


def _hold_if_implausible(conn: Connection, claim: Claim, urls: list[str]) -> int:
    """Hold the shrunk pages when they are too many to be believed; returns how many are held."""
    doubtful = set(urls) - held_pages.confirmed_among(conn, claim, urls)
    if is_implausible(len(doubtful), raw_pages.count_live(conn, claim)):
        held_pages.hold(conn, claim, dict.fromkeys(urls, held_pages.SHRUNK))
        return len(urls)
    held_pages.release_others(conn, claim, {}, is_shrinkage=True)
    return 0


def _save(
    conn: Connection,
    claim: Claim,
    texts: list[NewText],
    failures: list[Failure],
    urls: list[str],
) -> int:
    """Write a batch; returns how many texts differ from before."""
    failed = {failure.url for failure in failures}
    failed_pages.resolve(conn, claim, set(urls) - failed, "clean")
    failed_pages.record(conn, claim, "clean", failures)
    crawl_jobs.add_to_counters(conn, claim, Counters(pages_cleaned=len(texts)))
    return cleaned_pages.save(conn, claim, texts, cleaner_version=CLEANER_VERSION)
