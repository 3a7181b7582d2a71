"""The assets' tables as the UI shows them: what each column means, and what it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from omni_pipeline.store.catalogue.products import FACTS

TIME = "timestamptz"


@dataclass(frozen=True)
class Column:
    """A column as Postgres has it; ``made_from`` names columns of other assets, ``asset.column``.

    Attributes:
        type: As Postgres spells it; a question mark behind it says that it may be null.
    """

    name: str
    type: str
    meaning: str
    made_from: tuple[str, ...] = ()

    def describe(self) -> dg.TableColumn:
        nullable = self.type.endswith("?")
        constraints = dg.TableColumnConstraints(nullable=nullable)
        return dg.TableColumn(self.name, self.type.rstrip("?"), self.meaning, constraints)

    def deps(self) -> list[dg.TableColumnDep]:
        sources = [source.partition(".") for source in self.made_from]
        return [dg.TableColumnDep(dg.AssetKey(asset), column) for asset, _, column in sources]


@dataclass(frozen=True)
class Table:
    """A table that an asset writes, under its name in Postgres."""

    name: str
    columns: tuple[Column, ...]

    @property
    def definition(self) -> Mapping[str, Any]:
        """What is known before anything ran."""
        schema = dg.TableSchema([column.describe() for column in self.columns])
        return {"dagster/table_name": self.name, "dagster/column_schema": schema}

    @property
    def lineage(self) -> dg.TableColumnLineage:
        """Which columns of other assets each was made from; the UI takes it from events only."""
        made = {column.name: column.deps() for column in self.columns if column.made_from}
        return dg.TableColumnLineage(deps_by_column=made)


HTML = ("raw_pages.html",)
MARKDOWN = ("cleaned_pages.markdown",)

DOMAIN_ID = Column("domain_id", "bigint", "The partition's row in `domains`.")
FENCE = Column("fence", "bigint", "Token of the refresh that wrote the row last.")

RAW_PAGES = Table(
    "raw_pages",
    (
        Column("id", "bigint", "Stays the same for as long as the domain is registered."),
        DOMAIN_ID,
        Column("url", "text", "Canonical; unique in its domain."),
        Column("status", "text", "`live` or `gone`."),
        Column("http_status", "integer", "Of the newest answer that said something of the page."),
        Column("rendered_by", "text", "`http`, or `browser` where the page needs JavaScript."),
        Column("etag", "text?", "Validator of the stored body."),
        Column("last_modified", "text?", "Validator of the stored body, as the site spelled it."),
        Column("content_type", "text?", "As the site declared it."),
        Column("charset", "text?", "In which the body was read."),
        Column("html", "text?", "The body as it was read; of a live page always there."),
        Column("body_hash", "bytea?", "SHA-256 of the body."),
        FENCE,
        Column("fetched_at", TIME, "When this body arrived."),
        Column("checked_at", TIME, "When the site last said that it still holds."),
        Column("gone_at", f"{TIME}?", "When the site was found to have the page no longer."),
        Column("gone_because", "text?", "The evidence: `missing`, `moved`, `noindex`, …"),
        Column("depth", "integer", "Links between the start page and this one."),
        Column("moved_to", "text?", "The page in whose favour this one is gone."),
    ),
)

CLEANED_PAGES = Table(
    "cleaned_pages",
    (
        Column("page_id", "bigint", "Whose text it is.", ("raw_pages.id",)),
        DOMAIN_ID,
        Column("body_hash", "bytea", "The body it was made from.", ("raw_pages.body_hash",)),
        Column("content_hash", "bytea", "SHA-256 of the text without times and counters.", HTML),
        Column("cleaner_version", "integer", "Another version cleans the page again."),
        Column("title", "text", "Title or first heading.", HTML),
        Column("description", "text?", "The page's own summary.", HTML),
        Column("language", "text?", "As the page declares it.", HTML),
        Column("canonical_url", "text?", "As the page declares it.", HTML),
        Column("markdown", "text", "What a reader would read.", HTML),
        FENCE,
        Column("cleaned_at", TIME, "When it was made."),
        Column("published_on", "date?", "As the page wrote it, in whatever zone.", HTML),
        Column("modified_on", "date?", "As the page wrote it, in whatever zone.", HTML),
        Column("breadcrumbs", "text[]", "Names of the pages above, outermost first.", HTML),
        Column("boilerplate_version", "integer?", "The decision of what repeats and is left out."),
        Column("characters_left_out", "integer", "Of text that the domain repeats."),
        Column("found_fence", "bigint", "Token of the refresh that found the page."),
        Column("changed_fence", "bigint", "Token of the refresh that last found other words."),
        Column("changed_headings", "text[]", "Where they changed."),
    ),
)

# What waits for its vectors; the table `chunks` holds what search may answer, and is written with
# them, by the asset `embeddings`.
CHUNKS = Table(
    "staged_chunks",
    (
        Column("revision_id", "bigint", "The revision of a page that it will publish."),
        Column("position", "integer", "Its place in the page, from 0."),
        Column("text", "text", "What is embedded and found.", MARKDOWN),
        Column("text_hash", "bytea", "SHA-256 of the text: the same text is paid once.", MARKDOWN),
        Column("heading_path", "text[]", "From the page's first heading to the nearest.", MARKDOWN),
        Column("start_offset", "integer", "In characters of the page's markdown.", MARKDOWN),
        Column("token_count", "integer", "In tokens of the embedding model.", MARKDOWN),
        Column("words", "tsvector?", "What full text search finds it by.", MARKDOWN),
    ),
)

EMBEDDINGS = Table(
    "embeddings",
    (
        Column("chunk_id", "bigint", "The published chunk: one vector each."),
        DOMAIN_ID,
        Column("model_id", "smallint", "The model's row in `embedding_models`."),
        Column("dimensions", "smallint", "Of the vector, as the model declares them."),
        Column("text_hash", "bytea", "SHA-256 of the chunk's text.", ("chunks.text_hash",)),
        Column("embedding", "halfvec", "The vector.", ("chunks.text",)),
    ),
)

PRODUCTS = Table(
    "products",
    (
        Column("id", "bigint", "Stays the same through changes of name, page and price."),
        DOMAIN_ID,
        Column("identity", "text", "The strongest of its keys, such as a GTIN.", HTML),
        Column("status", "text", "`listed`, or `delisted` when no page shows it any more."),
        Column("page_id", "bigint", "The page that tells most of it.", ("raw_pages.id",)),
        Column("position", "integer", "Its place on that page, from 0."),
        Column("url", "text", "Where it is sold.", HTML),
        *(Column(name, "text?", fact.meaning, HTML) for name, fact in FACTS.items()),
        Column("offers", "jsonb", "Its variants and sellers with their prices.", HTML),
        Column("evidence", "jsonb", "By field: where it was found, how far it is believed.", HTML),
        Column("current_price_kind", "text?", "Of its newest snapshot."),
        Column("current_price_amount", "numeric?", "Of its newest snapshot."),
        Column("current_price_currency", "text?", "Of its newest snapshot (ISO 4217)."),
        Column("current_availability", "text?", "Of its newest snapshot."),
        Column("merged_into", "bigint?", "It proved to be this product."),
        FENCE,
        Column("first_seen_at", TIME, "When a page first showed it."),
        Column("last_seen_at", TIME, "When a page last showed it."),
        Column("delisted_at", f"{TIME}?", "When it was delisted."),
        Column("vanished_at", f"{TIME}?", "Since when no page shows it, while that is held back."),
        Column("vanishing_confirmed_at", f"{TIME}?", "When a person believed that."),
    ),
)

PRICE_SNAPSHOTS = Table(
    "price_snapshots",
    (
        Column("id", "bigint", "Rows are only ever added."),
        Column("product_id", "bigint", "Whose price it is.", ("products.id",)),
        DOMAIN_ID,
        Column("job_id", "bigint", "The refresh that saw it, in `crawl_jobs`."),
        Column("is_change", "boolean", "False: a daily point of an unchanged price."),
        Column("page_url", "text", "Where it was seen.", ("raw_pages.url",)),
        Column("price_kind", "text?", "`exact`, `from`, `range`, `per_unit`, `free`, …", HTML),
        Column("price_amount", "numeric?", "In units of its currency.", HTML),
        Column("price_currency", "text?", "ISO 4217.", HTML),
        Column("price_text", "text?", "As the page shows it.", HTML),
        Column("regular_price_amount", "numeric?", "What was struck through.", HTML),
        Column("availability", "text?", "`in_stock`, `sold_out`, `pre_order`, …", HTML),
        Column("observed_at", TIME, "When it was seen."),
    ),
)

COMPANIES = Table(
    "companies",
    (
        DOMAIN_ID,
        Column("name", "text?", "As people call it.", HTML),
        Column("legal_name", "text?", "As registers call it.", HTML),
        Column("address", "text?", "In one line.", HTML),
        Column("street", "text?", "With the number.", HTML),
        Column("postal_code", "text?", "As the site spells it.", HTML),
        Column("city", "text?", "As the site spells it.", HTML),
        Column("country", "text?", "As the site spells it.", HTML),
        Column("phone", "text?", "As the site spells it.", HTML),
        Column("email", "text?", "For everybody.", HTML),
        Column("vat_number", "text?", "Checked by its country's rule.", HTML),
        Column("registration_number", "text?", "Of its commercial register.", HTML),
        Column("logo_url", "text?", "Its logo.", HTML),
        Column("social_links", "text[]", "Its profiles elsewhere.", HTML),
        Column("evidence", "jsonb", "By field: where it was found, how far it is believed.", HTML),
        FENCE,
        Column("updated_at", TIME, "When the profile last changed."),
    ),
)
