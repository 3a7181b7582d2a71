"""What an edited site costs: texts embedded again over texts that the site did not have before.

    python -m benchmarks.reembedding FOLDER --peers-python PEERS/bin/python

Refreshes a site of static HTML, refreshes it again as it is, edits 5 % of its pages (each in
three places: a word, a new paragraph, one less) and refreshes it a third time. 1.00 is the
least: each text that stands nowhere on the old site, once. The peers are given the same chunks of
both versions, as this project cut them. One endpoint counts what everybody asks for.
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders import own_home, run_peer
from benchmarks.our_refresh import Contender
from omni_pipeline.domain.web.urls import parse_site
from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.settings import EmbeddingSettings, Settings
from omni_pipeline.store.jobs.domains import NewDomain
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer

EDITED_SHARE = 0.05
PARAGRAPH = re.compile(r"<p>(?:(?!<p>).)+?</p>", re.DOTALL)

PEERS: Mapping[str, tuple[str, ...]] = {
    "LangChain index(), full": ("langchain_index.py", "full"),
    "LangChain index(), full, start_index": ("langchain_index.py", "full", "start_index"),
    "LangChain index(), incremental": ("langchain_index.py", "incremental"),
    "LlamaIndex, pages as documents": ("llamaindex_ingestion.py", "pages"),
    "LlamaIndex, chunks as documents": ("llamaindex_ingestion.py", "chunks"),
}

Chunks = dict[str, list[str]]
"""The chunks' texts of each page."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The site's chunks before and after the edit."""

    before: Chunks
    after: Chunks

    @property
    def new_texts(self) -> set[str]:
        """Those that stand nowhere on the old site: what has to be paid for."""
        return _texts(self.after) - _texts(self.before)

    @property
    def changed_pages(self) -> list[str]:
        return [url for url, texts in self.after.items() if texts != self.before.get(url)]


def _texts(chunks: Chunks) -> set[str]:
    return {text for texts in chunks.values() for text in texts}


def edit(site: SampleServer, urls: list[str]) -> int:
    """Edit a share of the pages, each in three places; returns how many."""
    chance = random.Random(5)
    pages = sorted(url for url in urls if PARAGRAPH.search(_html(site, url)))
    chosen = chance.sample(pages, round(len(urls) * EDITED_SHARE))
    for number, url in enumerate(chosen):
        site.pages[urlsplit(url).path] = _edited(_html(site, url), number, chance)
    return len(chosen)


def _edited(html: str, number: int, chance: random.Random) -> str:
    new = f"<p>Paragraph {number} was not there before, and says so in plain words.</p>"
    html = _replace(html, chance, lambda old: old.replace("</p>", f" (Revised: {number}.)</p>"))
    html = _replace(html, chance, lambda old: old + new)
    return _replace(html, chance, lambda _: "")


def _replace(html: str, chance: random.Random, change: Callable[[str], str]) -> str:
    """Change one paragraph."""
    place = chance.choice(list(PARAGRAPH.finditer(html)))
    return html[: place.start()] + change(place[0]) + html[place.end() :]


def _html(site: SampleServer, url: str) -> str:
    return site.read(urlsplit(url).path)


def read_chunks(database: Database) -> Chunks:
    found: Chunks = defaultdict(list)
    query = "SELECT url, text FROM live_chunks ORDER BY url, position"
    with database.connect() as conn:
        for url, text in conn.execute(query):
            found[url].append(text)
    return dict(found)


def measure_ours(endpoint: EmbeddingServer, folder: Path) -> Edit:
    """Three refreshes, the second of an unchanged site and the third of an edited one."""
    with own_home() as home, SampleServer(folder=folder) as site:
        place = urlsplit(site.url)
        settings = Settings(
            home=home,
            embedding=EmbeddingSettings(
                base_url=endpoint.base_url, model=MODEL, dimensions=DIMENSIONS, api_key="benchmark"
            ),
            allow_addresses=frozenset({(ip_address(str(place.hostname)), int(place.port or 80))}),
            recency_hours=0.0,
        )
        with open_database(settings) as database:
            contender = Contender(settings, database, _domain(settings, site.url))
            paid = {"first": _refresh(contender, endpoint)}
            paid["again"] = _refresh(contender, endpoint)
            before = read_chunks(database)
            count = edit(site, list(before))
            paid["edited"] = _refresh(contender, endpoint)
            edited = Edit(before=before, after=read_chunks(database))
    chunks = sum(map(len, edited.after.values()))
    print(
        f"{len(edited.after)} pages of {chunks} chunks; {count} pages edited, in "
        f"{len(edited.changed_pages)} of them chunks changed: {len(edited.new_texts)} new texts"
    )
    show("ours", paid, edited)
    return edited


def _domain(settings: Settings, url: str) -> NewDomain:
    site = parse_site(f"{url}/", allowed=settings.allow_addresses)
    return NewDomain(host=site.key, start_url=site.start_url, delay_seconds=0.0, page_limit=None)


def _refresh(contender: Contender, endpoint: EmbeddingServer) -> int:
    """Refresh; how many texts that asked the endpoint for."""
    seen = len(endpoint.texts)
    contender.refresh(is_whole=True, weighs_tree=False)
    return len(endpoint.texts) - seen


def measure_peer(name: str, python: Path, endpoint: EmbeddingServer, sites: Path, it: Edit) -> None:
    script, *options = PEERS[name]
    seen = len(endpoint.calls)
    report = run_peer(python, script, str(sites), endpoint.base_url, *options)
    paid: Counter[str] = Counter()
    for call in endpoint.calls[seen:]:
        paid[call.body["model"]] += len(call.texts)
    show(name, paid, it)
    if report["kept"] != report["wanted"]:
        print(f"    holds {report['kept']:.0f} texts of pages, the site {report['wanted']:.0f}")


def show(name: str, paid: Mapping[str, int], it: Edit) -> None:
    minimum = len(it.new_texts)
    print(
        f"{name}: {paid['edited'] / minimum:.2f} ({paid['edited']} texts embedded / {minimum} new)"
        f"; unchanged site {paid.get('again', 0)}, first time {paid['first']}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a site of static HTML")
    parser.add_argument("--peers-python", type=Path, help="has benchmarks/peers/requirements.txt")
    given = parser.parse_args()
    with EmbeddingServer() as endpoint:
        edited = measure_ours(endpoint, given.folder)
        if given.peers_python:
            with own_home() as folder:
                sites = folder / "sites.json"
                sites.write_text(json.dumps(vars(edited)))
                for name in PEERS:
                    measure_peer(name, given.peers_python, endpoint, sites, edited)


if __name__ == "__main__":
    main()
