"""LangChain's `index()` with its SQLRecordManager: a site, the same site again, the edited site.

    PYTHONPATH=. python benchmarks/peers/langchain_index.py SITES BASE_URL CLEANUP [start_index]

SITES is a file with the chunks of each page, before and after the edit. With ``start_index`` the
chunks carry their place on the page, as text splitters note it when they are asked to.
"""

import json
import sys
from pathlib import Path

from langchain_classic.indexes import SQLRecordManager, index
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from benchmarks.peers.counted_embeddings import embed


class Counted(Embeddings):
    stage = ""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return embed(self._base_url, self.stage, texts)

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def documents(site: dict[str, list[str]], *, has_places: bool) -> list[Document]:
    found = []
    for url, texts in site.items():
        place = 0
        for text in texts:
            metadata = {"source": url} | ({"start_index": place} if has_places else {})
            found.append(Document(page_content=text, metadata=metadata))
            place += len(text)
    return found


def main(sites: str, base_url: str, cleanup: str, *, has_places: bool) -> None:
    site = json.loads(Path(sites).read_text())
    embeddings = Counted(base_url)
    store = InMemoryVectorStore(embeddings)
    records = SQLRecordManager("benchmark", db_url="sqlite://")
    records.create_schema()
    for stage, name in (("first", "before"), ("again", "before"), ("edited", "after")):
        embeddings.stage = stage
        index(
            documents(site[name], has_places=has_places),
            records,
            store,
            cleanup=cleanup,
            source_id_key="source",
            key_encoder="sha256",
        )
    kept = sorted(entry["text"] for entry in store.store.values())
    wanted = {(url, text) for url, texts in site["after"].items() for text in texts}
    sys.stdout.write(json.dumps({"kept": len(kept), "wanted": len(wanted)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:4], has_places="start_index" in sys.argv[4:])
