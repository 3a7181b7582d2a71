"""CocoIndex keeps a table of chunks for a folder of pages, as its text embedding example does.

    PYTHONPATH=. python benchmarks/peers/cocoindex_rewrites.py FOLDER POSTGRES_URL TABLE KEY

Each line that is read rewrites one page: ``PAGE VERSION``. The answer comes when the index says
that it is up to date. KEY ``id`` is the example's key, made from the text; with ``place`` rows are
keyed by file and position, so that a rewrite overwrites them.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import asyncpg
import cocoindex as coco
import numpy as np
from cocoindex.connectors import localfs, postgres
from cocoindex.resources.file import FileLike
from cocoindex.resources.id import IdGenerator
from cocoindex.resources.schema import VectorSchema
from numpy.typing import NDArray

from benchmarks.torn_pages import DIMENSIONS, texts_of, vector_of

FOLDER, URL, TABLE, KEY = sys.argv[1:]
DATABASE = coco.ContextKey[asyncpg.Pool]("database")
MARK = "\n\n"


@coco.lifespan
async def lifespan(builder: coco.EnvironmentBuilder) -> AsyncIterator[None]:
    builder.settings.db_path = Path(FOLDER).with_suffix(".state")
    async with asyncpg.create_pool(URL) as pool:
        builder.provide(DATABASE, pool)
        yield


@dataclass
class Chunk:
    id: int
    page: str
    position: int
    text: str
    embedding: Annotated[NDArray, VectorSchema(dtype=np.dtype(np.float32), size=DIMENSIONS)]


@coco.fn(memo=True)
async def index_page(file: FileLike, table: postgres.TableTarget[Chunk]) -> None:
    ids = IdGenerator()
    for position, text in enumerate((await file.read_text()).split(MARK)):
        table.declare_row(
            row=Chunk(
                id=await ids.next_id(text),
                page=file.file_path.path.stem,
                position=position,
                text=text,
                embedding=np.array(vector_of(text), np.float32),
            )
        )


@coco.fn
async def index(folder: Path) -> None:
    key = ["id"] if KEY == "id" else ["page", "position"]
    schema = await postgres.TableSchema.from_class(Chunk, primary_key=key)
    table = await postgres.mount_table_target(DATABASE, table_name=TABLE, table_schema=schema)
    await coco.mount_each(index_page, localfs.walk_dir(folder).items(), table)


async def serve() -> None:
    app = coco.App(coco.AppConfig(name="torn_reads"), index, folder=Path(FOLDER))
    while line := await asyncio.to_thread(sys.stdin.readline):
        page, version = line.split()
        (Path(FOLDER) / f"{page}.md").write_text(MARK.join(texts_of(int(page), int(version))))
        await app.update()
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
