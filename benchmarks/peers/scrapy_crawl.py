"""Scrapy on a site: links by selectolax, bodies discarded, politeness off, as fast as it goes.

    python scrapy_crawl.py http://127.0.0.1:8000/ 8

Prints one line of JSON: pages, wall and CPU seconds of the crawl without the imports, and the
process's peak memory. Links are found as `omni_pipeline` finds its own, since Scrapy's
LinkExtractor alone would make it three times as slow.
"""

import json
import resource
import sys
import time
from urllib.parse import urldefrag, urljoin, urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from selectolax.lexbor import LexborHTMLParser


class Site(scrapy.Spider):
    name = "site"
    pages = 0

    def __init__(self, start_url: str) -> None:
        super().__init__()
        self.start_urls = [start_url]
        self.host = urlsplit(start_url).netloc

    def parse(self, response):
        if not isinstance(response, scrapy.http.HtmlResponse):
            return
        Site.pages += 1
        seen = set()
        for node in LexborHTMLParser(response.text).css("a[href]"):
            link = urldefrag(urljoin(response.url, node.attributes.get("href") or "")).url
            if link not in seen and urlsplit(link).netloc == self.host:
                seen.add(link)
                yield scrapy.Request(link, callback=self.parse)


def main(start_url: str, concurrency: int) -> None:
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
    process.crawl(Site, start_url=start_url)
    process.start()
    report = {
        "pages": Site.pages,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
