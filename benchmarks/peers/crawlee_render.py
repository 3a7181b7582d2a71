"""Crawlee's PlaywrightCrawler on a site: one shared browser context, which is its default.

    PYTHONPATH=. python benchmarks/peers/crawlee_render.py http://127.0.0.1:8000/ 100 2 [CHROMIUM]

Links are read in one call to the page: its own enqueue_links asks the browser for each link apart,
and took more than a minute for a page with thousands of them.

Prints one line of JSON: pages, wall and CPU seconds of the whole process tree without the imports,
and the tree's peak memory.
"""

import asyncio
import json
import os
import sys
import tempfile
from datetime import timedelta

from crawlee import ConcurrencySettings
from crawlee.configuration import Configuration
from crawlee.crawlers import PlaywrightCrawler, PlaywrightCrawlingContext

from benchmarks.process_tree import PeakMemory, Stopwatch, adopt_orphans

LINKS = "links => [...new Set(links.map(link => link.href.split('#')[0]))]"


async def crawl(start_url: str, max_pages: int, concurrency: int, executable: str | None) -> int:
    """Render pages and follow links until there are enough; how many there were."""
    options: dict[str, object] = {"executable_path": executable} if executable else {}
    if os.geteuid() == 0:
        options["args"] = ["--no-sandbox"]  # Chromium has none for root
    with tempfile.TemporaryDirectory() as storage:
        crawler = PlaywrightCrawler(
            configuration=Configuration(storage_dir=storage, purge_on_start=True),
            max_requests_per_crawl=max_pages,
            concurrency_settings=ConcurrencySettings(
                desired_concurrency=concurrency, max_concurrency=concurrency
            ),
            browser_type="chromium",
            headless=True,
            browser_launch_options=options,
            configure_logging=False,
            request_handler_timeout=timedelta(minutes=5),
        )
        pages = 0

        @crawler.router.default_handler
        async def handle(context: PlaywrightCrawlingContext) -> None:
            nonlocal pages
            pages += bool(await context.page.content())
            links = await context.page.eval_on_selector_all("a[href]", LINKS)
            await context.add_requests([link for link in links if link.startswith(start_url)])

        await crawler.run([start_url])
    return pages


def main(start_url: str, max_pages: str, concurrency: str, executable: str | None = None) -> None:
    adopt_orphans()
    with PeakMemory(os.getpid()) as tree:
        watch = Stopwatch()
        pages = asyncio.run(crawl(start_url, int(max_pages), int(concurrency), executable))
        cost = watch.read()
    report = {"pages": pages, **cost._asdict(), "peak_tree_megabytes": tree.megabytes}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
