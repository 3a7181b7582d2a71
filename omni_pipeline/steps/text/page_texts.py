"""What a batch of pages says: cleaned, without boilerplate, and compared with what they said."""

from omni_pipeline.domain.hashing import text_hash
from omni_pipeline.domain.text.boilerplate import leave_out, unpack
from omni_pipeline.domain.text.changes import changed_headings
from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable
from omni_pipeline.gateways.cleaning.pool import Cleaner, PageSource
from omni_pipeline.store.crawl.raw_pages import DuePage
from omni_pipeline.store.text.boilerplate_samples import Decision
from omni_pipeline.store.text.cleaned_pages import NewText

# A page that loses more of its text than this has shrunk; a short one may lose it all (F-D36).
MAX_SHRINKAGE = 0.8
MIN_CHARACTERS = 200

# In characters: a small site, all of which is the sample for its boilerplate, is cleaned once.
MAX_KEPT = 16_000_000


class Answers:
    """Cleans pages; what a page of the sample said is kept until it is asked for again."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._kept: dict[int, CleanedPage] = {}
        self._kept_characters = 0

    def of(self, due: list[DuePage], *, keeps: bool = False) -> list[CleanedPage | Unreadable]:
        """What these pages say, in their order."""
        known = {page.page_id: self._kept.pop(page.page_id, None) for page in due}
        unknown = [page for page in due if known[page.page_id] is None]
        found = iter(
            self._cleaner.clean([PageSource(url=page.url, html=page.html) for page in unknown])
        )
        answers = [known[page.page_id] or next(found) for page in due]
        if keeps:
            self._keep(due, answers)
        return answers

    def _keep(self, due: list[DuePage], answers: list[CleanedPage | Unreadable]) -> None:
        for page, answer in zip(due, answers, strict=True):
            if isinstance(answer, CleanedPage) and self._kept_characters < MAX_KEPT:
                self._kept[page.page_id] = answer
                self._kept_characters += len(answer.markdown)


def new_text(page: DuePage, found: CleanedPage, decision: Decision) -> NewText:
    """The row of a page that was read."""
    text = leave_out(found, unpack(decision.blocks))
    before = text.markdown if page.markdown_before is None else page.markdown_before
    return NewText(
        page_id=page.page_id,
        body_hash=page.body_hash,
        content_hash=text.content_hash,
        title=text.title,
        description=text.description,
        language=text.language,
        canonical_url=text.canonical_url,
        markdown=text.markdown,
        published_on=text.published_on,
        modified_on=text.modified_on,
        breadcrumbs=text.breadcrumbs,
        boilerplate_version=None if text.is_marked_off else decision.version,
        characters_left_out=len(found.markdown) - len(text.markdown),
        changed_headings=changed_headings(before, text.markdown),
    )


def no_text(page: DuePage) -> NewText:
    """The row of a page that has no text, and is believed."""
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


def has_shrunk(page: DuePage, text: NewText | None) -> bool:
    """Whether most of the text is gone that the previous body had.

    What is left out as boilerplate only now is not: the site still says it.
    """
    before = len(page.markdown_before or "")
    if text is None or before < MIN_CHARACTERS:
        return False
    left_out_now = max(0, text.characters_left_out - page.left_out_before)
    return len(text.markdown) + left_out_now < before * (1 - MAX_SHRINKAGE)
