"""Scrapy on a site: links by selectolax, bodies discarded, politeness off, as fast as it goes.

    python scrapy_crawl.py http://127.0.0.1:8000/ 8

Prints one line of JSON: pages. Its links are found as `omni_pipeline` finds its own, since Scrapy's
LinkExtractor alone would make it three times as slow.
"""

import json
import sys
from urllib.parse import urldefrag, urljoin, urlsplit

import scrapy
from scrapy.crawler import CrawlerProcess
from selectolax.lexbor import LexborHTMLParser


class Site(scrapy.Spider):
    name = "site"

    def __init__(self, start_url: str) -> None:
        super().__init__()
        self.start_urls = [start_url]
        self.host = urlsplit(start_url).netloc
        self.pages = 0

    def parse(self, response):
        if not isinstance(response, scrapy.http.HtmlResponse):
            return
        self.pages += 1
        for node in LexborHTMLParser(response.text).css("a[href]"):
            link = urldefrag(urljoin(response.url, node.attributes.get("href") or "")).url
            if urlsplit(link).netloc == self.host:
                yield scrapy.Request(link, callback=self.parse)

    def closed(self, reason):
        sys.stdout.write(json.dumps({"pages": self.pages}) + "\n")


def main(start_url: str, concurrency: int) -> None:
    """Crawl until there is nothing left."""
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": concurrency,
            "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
            "DOWNLOAD_DELAY": 0,
            "LOG_LEVEL": "ERROR",
            "ROBOTSTXT_OBEY": True,
            "TELNETCONSOLE_ENABLED": False,
            "RETRY_TIMES": 2,
        }
    )
    process.crawl(Site, start_url=start_url)
    process.start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
