"""Takes from a parsed page what is not its content: what is not shown, and what frames it.

Two readings of a page are compared. By structure it is what its tags say: its landmark, or its
body without menus, footers and asides. By its text it is what the model of ``content_model`` takes
for content, block by block. Where the two all but agree, and where the model would leave next to
nothing, structure is kept whole: it is the less invasive of two results that explain the page.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from omni_pipeline.domain.html.metadata import visible_text
from omni_pipeline.domain.html.visibility import drop_hidden, show_what_scripts_show, style_text
from omni_pipeline.domain.text.articles import find_article, is_article
from omni_pipeline.domain.text.block_features import Declared, read_declared
from omni_pipeline.domain.text.blocks import Block, is_code, is_heading, read_blocks, stands_in
from omni_pipeline.domain.text.code_blocks import rebuild_code
from omni_pipeline.domain.text.content_model import find_likely_content
from omni_pipeline.domain.text.formulas import write_formulas
from omni_pipeline.domain.text.frames import drop_frame, landmark_of
from omni_pipeline.domain.text.meaning import write_meaning

# Never text of a page. ``noscript`` that is left repeats what is shown; gutters number code.
_NEVER_TEXT = ",".join(
    (
        *("script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas"),
        *("audio", "video", "hr", "input", "select", "textarea", "datalist"),
        *(".headerlink", ".viewcode-link", ".mw-editsection"),
        *(".footnote-backref", ".footnote-back"),
        *(".sr-only", ".visually-hidden", ".screen-reader-text", ".skip-link"),
        # Ligatures: the name of an icon is drawn as the icon.
        *(".material-icons", "[class*=material-icons-]", "[class*=material-symbols]", "mat-icon"),
    )
)
_LINK_IN_HEADING = ":is(h1,h2,h3,h4,h5,h6,dt) a"
# Of a note, an arrow; of a heading that leads back to its contents, all of its text.
_BACK_LINK = "[role=doc-backlink]"
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_PERMALINK_TEXTS = frozenset(("¶", "#", "§", "🔗", "⚓", "link", "permalink"))

# The model's reading has to leave out this share of the structure's to be worth its risk.
_MIN_AGREEMENT = 0.97
# Less than this share of what stands on a page explains no page.
_MIN_EXPLAINED = 0.04
# The model knows whole pages: of so little, tags say more than numbers.
_MIN_LETTERS = 2000
# All rules for articles together may take away no more of the paragraphs than the rest.
_MIN_ARTICLE_SHARE = 0.6
# A first paragraph below the heading belongs to what the heading is of.
_MIN_BELOW = 60
_MIN_PARAGRAPH = 90
# A table of longer cells lays out a page; of any other, cells stay or go together.
_MAX_CELL_LETTERS = 100

_EMPTY_PARTS = "li,p,h1,h2,h3,h4,h5,h6,dt,dd,tr,ul,ol,dl,table,figure,figcaption,blockquote"


@dataclass(frozen=True, kw_only=True)
class Content:
    """The element that holds a page's content; ``is_marked_off`` says that the page told so.

    Else menus may be left in it that nothing but their repetition on other pages can tell.
    """

    node: LexborNode
    is_marked_off: bool


@dataclass(frozen=True, kw_only=True)
class PageBlocks:
    """The text of a page that is shown, and what the page says of itself."""

    blocks: list[Block]
    declared: Declared


def read_page_blocks(tree: LexborHTMLParser) -> PageBlocks | None:
    """Prune from the tree, in place, what is never text; None without a body."""
    body = tree.body
    if body is None:
        return None
    declared, styles = read_declared(tree), style_text(tree)
    show_what_scripts_show(tree)
    write_formulas(tree)
    drop_hidden(body, styles)  # while what opens it is still there
    write_meaning(tree, body)
    rebuild_code(tree, body)
    _drop(body.css(_NEVER_TEXT))
    _drop(link for link in body.css(_BACK_LINK) if not _is_of_heading(link))
    _drop(link for link in body.css(_LINK_IN_HEADING) if _is_permalink(link))
    return PageBlocks(blocks=read_blocks(body), declared=declared)


def find_content(tree: LexborHTMLParser) -> Content | None:
    """Prune the tree in place; return what holds its content, None without a body."""
    is_declared = is_article(tree)  # before its scripts are gone
    page = read_page_blocks(tree)
    body = tree.body
    if page is None or body is None:
        return None
    landmark = landmark_of(body)
    likely = _likely(page)
    if likely is None or _is_explained(page.blocks, likely, landmark):
        node = drop_frame(body, landmark)
        if is_declared and likely is None and _can_be_narrowed(node):
            return Content(node=find_article(node), is_marked_off=True)
        return Content(node=node, is_marked_off=landmark is not None)
    for block, is_content in zip(page.blocks, likely, strict=True):
        if not is_content:
            _drop(block.nodes)
    for part in reversed(body.css(_EMPTY_PARTS)):
        if not part.text(strip=True):
            part.decompose()
    return Content(node=body, is_marked_off=landmark is not None)


def _can_be_narrowed(node: LexborNode) -> bool:
    """Say whether the rules for articles leave nearly all paragraphs; tried on a copy."""
    body = LexborHTMLParser(node.html or "").body
    if body is None:
        return False
    prose = _prose_length(body)
    below_heading = [text for part in body.css("h1 ~ p") if len(text := part.text()) >= _MIN_BELOW]
    article = find_article(body)
    if below_heading and below_heading[0] not in article.text():
        return False
    return _prose_length(article) >= _MIN_ARTICLE_SHARE * prose


def _prose_length(node: LexborNode) -> int:
    texts = {part.text(strip=True) for part in node.css("p,li,figcaption")}  # copies count once
    return sum(len(text) for text in texts if len(text) >= _MIN_PARAGRAPH)


def _likely(page: PageBlocks) -> list[bool] | None:
    if sum(len(block.text) for block in page.blocks) < _MIN_LETTERS:
        return None
    likely = find_likely_content(page.blocks, page.declared)
    tables: dict[int, list[int]] = defaultdict(list)
    for index, block in enumerate(page.blocks):
        if stands_in(block, "table") and (table := _table_id(block.holder)):
            tables[table].append(index)
        if is_code(block) and stands_in(block, "main", "article"):
            likely[index] = True
    for cells in tables.values():
        _decide_together(page.blocks, likely, cells)
    _keep_headings(page.blocks, likely)
    return likely


def _decide_together(blocks: Sequence[Block], likely: list[bool], cells: list[int]) -> None:
    letters = sum(len(blocks[cell].text) for cell in cells)
    if letters > _MAX_CELL_LETTERS * len(cells):
        return
    kept = sum(len(blocks[cell].text) for cell in cells if likely[cell])
    is_of_text = not is_framed(blocks[cells[0]], has_landmark=False) and any(
        likely[index] for index in _beside(blocks, cells)
    )
    for cell in cells:
        likely[cell] = is_of_text or 2 * kept >= letters


def _beside(blocks: Sequence[Block], cells: Sequence[int]) -> Iterator[int]:
    """The nearest blocks before and behind a table that are no headings."""
    before = (i for i in range(cells[0] - 1, -1, -1) if not is_heading(blocks[i]))
    behind = (i for i in range(cells[-1] + 1, len(blocks)) if not is_heading(blocks[i]))
    for side in (before, behind):
        yield from islice(side, 1)


def _keep_headings(blocks: Sequence[Block], likely: list[bool]) -> None:
    """Headings stay where the text right below them does."""
    left_out: list[int] = []
    for index, block in enumerate(blocks):
        if not is_heading(block):
            for heading in left_out:
                likely[heading] = likely[index]
            left_out = []
        elif not likely[index]:
            left_out.append(index)


def _table_id(node: LexborNode) -> int:
    place: LexborNode | None = node
    while place is not None and place.tag != "table":
        place = place.parent
    return place.mem_id if place is not None else 0


def _is_explained(
    blocks: Sequence[Block], likely: Sequence[bool], landmark: LexborNode | None
) -> bool:
    """Say whether the page's structure is the better reading."""
    framed = [is_framed(block, has_landmark=landmark is not None) for block in blocks]
    lengths = [len(block.text) for block in blocks]
    rows = list(zip(lengths, likely, framed, strict=True))
    structure = sum(length for length, _, frame in rows if not frame)
    model = sum(length for length, is_likely, _ in rows if is_likely)
    both = sum(length for length, is_likely, frame in rows if is_likely and not frame)
    if model < _MIN_EXPLAINED * structure:
        return True
    return both >= _MIN_AGREEMENT * max(structure, model)


def is_framed(block: Block, *, has_landmark: bool) -> bool:
    """Say whether a block stands in what frames content, by the tags around it."""
    if stands_in(block, "nav", "footer", "dialog", "button"):
        return True
    if has_landmark:
        return not stands_in(block, "main", "article")
    return stands_in(block, "aside", "header")


def _is_of_heading(link: LexborNode) -> bool:
    return link.parent is not None and link.parent.tag in _HEADINGS


def _is_permalink(link: LexborNode) -> bool:
    return visible_text(link).casefold() in _PERMALINK_TEXTS


def _drop(nodes: Iterable[LexborNode]) -> None:
    for node in nodes:
        node.decompose()
