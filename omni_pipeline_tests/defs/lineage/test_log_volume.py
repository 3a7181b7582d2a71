"""What a run writes down does not grow with the site."""

from http import HTTPStatus

from omni_pipeline_tests.defs.conftest import Console

PAGES = 40


def test_failing_pages_are_counted_and_not_logged_one_by_one(console: Console) -> None:
    """F-G13: 5,000 failing pages would be 5,000 lines; which they are says `omni failed`."""
    links = "".join(f'<a href="/broken-{number}.html">{number}</a>' for number in range(PAGES))
    console.site.pages["/index.html"] = f"<title>Many</title><main><h1>Many</h1>{links}</main>"
    console.site.pages["/"] = console.site.pages["/index.html"]
    console.site.pages["/sitemap.xml"] = HTTPStatus.NOT_FOUND
    for number in range(PAGES):
        console.site.pages[f"/broken-{number}.html"] = HTTPStatus.IM_A_TEAPOT
    outcome = console.refresh()
    [(failed,)] = console.query(b"SELECT count(*) FROM failed_pages WHERE resolved_at IS NULL")
    assert failed == PAGES
    entries = console.instance.all_logs(outcome.run_id)
    told = [entry.message for entry in entries if not entry.is_dagster_event]
    assert len(told) <= 10, told
    assert not [entry.message for entry in entries if "/broken-" in str(entry.message)]
