"""LlamaIndex's IngestionPipeline with a docstore: a site, the same site again, the edited site.

    PYTHONPATH=. python benchmarks/peers/llamaindex_ingestion.py SITES BASE_URL pages|chunks

SITES is a file with the chunks of each page, before and after the edit. ``pages``: a document is a
page, and a transformation cuts it, which is how the documentation does it. ``chunks``: a document
is a chunk, named by its page and its text, and what is not there any more is deleted.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core import Document
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser.node_utils import build_nodes_from_splits
from llama_index.core.schema import BaseNode, TransformComponent
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore

from benchmarks.peers.counted_embeddings import embed

MARK = "\x1e"


class CutAtMarks(TransformComponent):
    """Cuts a page into its given chunks."""

    def __call__(self, nodes: Sequence[BaseNode], **_: Any) -> list[BaseNode]:
        return [
            piece
            for node in nodes
            for piece in build_nodes_from_splits(node.get_content().split(MARK), node)
        ]


class Counted(BaseEmbedding):
    base_url: str
    stage: str = ""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return embed(self.base_url, self.stage, texts)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    _get_query_embedding = _get_text_embedding

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def documents(site: dict[str, list[str]], unit: str) -> list[Document]:
    if unit == "pages":
        return [Document(id_=url, text=MARK.join(texts)) for url, texts in site.items()]
    found = {
        hashlib.sha256(f"{url} {text}".encode()).hexdigest(): text
        for url, texts in site.items()
        for text in texts
    }
    return [Document(id_=name, text=text) for name, text in found.items()]


def main(sites: str, base_url: str, unit: str) -> None:
    site = json.loads(Path(sites).read_text())
    model = Counted(base_url=base_url, embed_batch_size=100)
    store = SimpleVectorStore()
    pipeline = IngestionPipeline(
        transformations=[CutAtMarks(), model],
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        vector_store=store,
    )
    for stage, name in (("first", "before"), ("again", "before"), ("edited", "after")):
        model.stage = stage
        pipeline.run(documents=documents(site[name], unit))
    wanted = {(url, text) for url, texts in site["after"].items() for text in texts}
    report = {"kept": len(store.data.embedding_dict), "wanted": len(wanted)}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
