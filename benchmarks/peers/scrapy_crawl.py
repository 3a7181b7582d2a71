"""Scrapy on a site: links by selectolax, bodies discarded, politeness off, as fast as it goes.

    PYTHONPATH=. python benchmarks/peers/scrapy_crawl.py http://127.0.0.1:8000/ 8 [unique]

Each link is yielded as Scrapy's documentation does it, and Scrapy drops those it has seen; with
``unique`` those that a page repeats are dropped before, as `omni_pipeline` does. Its LinkExtractor
would take three times as long. Prints one line of JSON: pages, wall and CPU seconds of the crawl
without the imports, and the process's peak memory.
"""

import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin, urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from selectolax.lexbor import LexborHTMLParser

from benchmarks.process_tree import peak_megabytes


class Site(scrapy.Spider):
    name = "site"
    pages = 0

    def __init__(self, start_url: str, *, is_unique: bool) -> None:
        super().__init__()
        self.start_urls = [start_url]
        self.host = urlsplit(start_url).netloc
        self.is_unique = is_unique

    def parse(self, response: scrapy.http.Response) -> Iterator[scrapy.Request]:
        if not isinstance(response, scrapy.http.HtmlResponse):
            return
        Site.pages += 1
        links = self.links(response)
        for link in dict.fromkeys(links) if self.is_unique else links:
            yield scrapy.Request(link, callback=self.parse)

    def links(self, response: scrapy.http.HtmlResponse) -> Iterator[str]:
        for node in LexborHTMLParser(response.text).css("a[href]"):
            link = urldefrag(urljoin(response.url, node.attributes.get("href") or "")).url
            if urlsplit(link).netloc == self.host:
                yield link


def main(start_url: str, concurrency: int, *, is_unique: bool) -> None:
    """Crawl until there is nothing left."""
    wall, cpu = time.perf_counter(), time.process_time()
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": concurrency,
            "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
            "DOWNLOAD_DELAY": 0,
            "LOG_LEVEL": "ERROR",
            "ROBOTSTXT_OBEY": True,
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Site, start_url=start_url, is_unique=is_unique)
    process.start()
    report = {
        "pages": Site.pages,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_megabytes": peak_megabytes(),
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), is_unique="unique" in sys.argv[3:])
