"""What a person may ask of a run, typed, as the launchpad shows it (R-A5)."""

import dagster as dg
from pydantic import Field


class RawPagesConfig(dg.Config):
    """How to fetch."""

    force_rescrape: bool = Field(
        default=False,
        description="Fetch every page, also those checked within the recency window (24 h).",
    )
    max_pages: int | None = Field(
        default=None, gt=0, description="Most URLs of this crawl; empty means the domain's limit."
    )

    only: list[str] = Field(
        default=[],
        description=(
            "Globs over path and query, such as /shop/*: fetch the pages that match one of them, "
            "and leave the others as they are. The domain does not count as refreshed."
        ),
    )
    job_type: str | None = Field(
        default=None,
        description=(
            "full, or of the known pages those that list products (category), are about one "
            "(product), or both (distributor). With globs only a name for the ledger."
        ),
    )


class EmbeddingsConfig(dg.Config):
    """How to embed."""

    force_reembed: bool = Field(
        default=False,
        description="Pay again for the vectors of every chunk, also the unchanged ones.",
    )
