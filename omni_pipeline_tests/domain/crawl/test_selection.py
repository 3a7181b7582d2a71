"""Parts of a site: what a person may ask for, and which URLs that means."""

import pytest

from omni_pipeline.domain.crawl.selection import WHOLE_SITE, CrawlSelection, JobType, name_part
from omni_pipeline.errors import SettingsError


def test_without_a_type_or_a_pattern_the_whole_site_is_meant() -> None:
    assert name_part(None, ()) == WHOLE_SITE
    assert name_part("full", ()) == WHOLE_SITE
    assert WHOLE_SITE.takes_new("https://shop.test/any")


def test_a_pattern_is_compared_with_path_and_query() -> None:
    part = name_part(None, ["/shop/*", "*page=2"])
    assert part.job_type is JobType.CATEGORY
    assert not part.is_whole
    wanted = [
        url
        for url in (
            "https://shop.test/shop/a.html",
            "https://shop.test/list?page=2",
            "https://shop.test/shop",
            "https://shop.test/Shop/a.html",
            "https://shop.test/about?from=/shop/",
        )
        if part.matches(url) and part.takes_new(url)
    ]
    assert wanted == ["https://shop.test/shop/a.html", "https://shop.test/list?page=2"]


@pytest.mark.parametrize("job_type", ["category", "product", "distributor"])
def test_a_type_alone_means_known_pages_and_no_new_ones(job_type: str) -> None:
    part = name_part(job_type, ())
    assert part == CrawlSelection(job_type=JobType(job_type))
    assert part.matches("https://shop.test/any")
    assert not part.takes_new("https://shop.test/any")


@pytest.mark.parametrize(
    ("job_type", "patterns", "message"),
    [
        ("model_build", (), "there are full, category, product, distributor"),
        ("full", ("/shop/*",), "leave the patterns out"),
        (None, ("https://shop.test/shop/*",), "begins with / or \\*"),
        (None, ("shop/*",), "begins with / or \\*"),
        (None, ("",), "begins with / or \\*"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    job_type: str | None, patterns: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        name_part(job_type, patterns)
