"""Copies of robots.txt: the newest one, with its age."""

from omni_pipeline.store.crawl import robots_files
from omni_pipeline_tests.store.conftest import Run

ORIGIN = "https://a.test"


def test_the_newest_copy_of_an_origin_is_kept_with_its_age(run: Run) -> None:
    """F-D15"""
    assert robots_files.find(run.conn, run.claim, ORIGIN) is None
    for content in ("Disallow: /old", "Disallow: /new"):
        with run.fenced():
            robots_files.keep(run.conn, run.claim, ORIGIN, content)
    run.conn.execute("UPDATE robots_files SET fetched_at = now() - interval '2 hours'")
    copy = robots_files.find(run.conn, run.claim, ORIGIN)
    assert copy is not None
    assert copy.content == "Disallow: /new"
    assert 7199 < copy.age_seconds < 7300
    assert robots_files.find(run.conn, run.claim, "https://b.test") is None
