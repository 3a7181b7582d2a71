"""Crawlee's PlaywrightCrawler on a site: one shared browser context, as its documentation advises.

    python crawlee_render.py http://127.0.0.1:8000/ 100 2 [/usr/bin/chromium]

Prints one line of JSON: pages.
"""

import asyncio
import json
import os
import sys
import tempfile

from crawlee import ConcurrencySettings
from crawlee.configuration import Configuration
from crawlee.crawlers import PlaywrightCrawler, PlaywrightCrawlingContext


async def main(start_url: str, most_pages: int, concurrency: int, executable: str | None) -> None:
    """Render pages and follow links until there are enough."""
    options: dict[str, object] = {"executable_path": executable} if executable else {}
    if os.geteuid() == 0:
        options["args"] = ["--no-sandbox"]
    with tempfile.TemporaryDirectory() as storage:
        crawler = PlaywrightCrawler(
            configuration=Configuration(storage_dir=storage, purge_on_start=True),
            max_requests_per_crawl=most_pages,
            concurrency_settings=ConcurrencySettings(
                desired_concurrency=concurrency, max_concurrency=concurrency
            ),
            browser_type="chromium",
            headless=True,
            browser_launch_options=options,
            configure_logging=False,
        )
        pages = 0

        @crawler.router.default_handler
        async def handle(context: PlaywrightCrawlingContext) -> None:
            nonlocal pages
            pages += bool(await context.page.content())
            await context.enqueue_links()

        await crawler.run([start_url])
    sys.stdout.write(json.dumps({"pages": pages}) + "\n")


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1],
            int(sys.argv[2]),
            int(sys.argv[3]),
            sys.argv[4] if len(sys.argv) > 4 else None,
        )
    )
