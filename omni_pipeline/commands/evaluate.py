"""`omni evaluate`: how good the answers are, by questions whose answers are known."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress as Bars

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import err, print_json, print_table, warn
from omni_pipeline.commands.search import FindScope, with_scope
from omni_pipeline.domain.search.questions import ExpectedAnswer, read_questions
from omni_pipeline.errors import SettingsError

MAX_FILE_BYTES = 100_000_000


@with_scope
def evaluate(
    file: Annotated[
        Path,
        typer.Argument(help='JSON lines {"question": …, "urls": […]}, or CSV question,url.'),
    ],
    find_scope: FindScope,
    limit: Annotated[int, typer.Option("-k", min=1, max=1000, help="Pages for recall.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask a file's questions, and say how often the pages that answer them are found.

    By meaning (vector), by words (text) and by both (hybrid): recall@k, nDCG@10 and mean
    reciprocal rank, each from 0 to 1.
    """
    from omni_pipeline.steps.search.evaluation import MODES
    from omni_pipeline.steps.search.evaluation import evaluate as measure
    from omni_pipeline.steps.services.model_services import Models

    questions = read_file(file)
    with open_application() as app, ExitStack() as resources:
        scope = find_scope(app)
        models = Models(app.settings, app.session, resources)
        if announcement := models.of_index().model.announcement:
            warn(announcement)
        with Bars(console=err, disable=as_json or not err.is_terminal) as bars:
            task = bars.add_task("asking", total=len(questions) * len(MODES))
            measured = measure(
                app.session,
                models,
                questions,
                limit=limit,
                scope=scope,
                note=lambda: bars.advance(task),
            )
    if as_json:
        print_json(measured)
        return
    columns = ["mode", "questions", f"recall@{limit}", "nDCG@10", "MRR"]
    print_table(
        columns,
        [
            (
                q.mode,
                q.questions,
                f"{q.recall:.3f}",
                f"{q.ndcg_at_10:.3f}",
                f"{q.reciprocal_rank:.3f}",
            )
            for q in measured
        ],
        right=columns[1:],
    )


def read_file(file: Path) -> list[ExpectedAnswer]:
    """The questions of a file.

    Raises:
        SettingsError: It cannot be read; the message says why and what to do.
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise SettingsError(f"{file} is larger than {MAX_FILE_BYTES:,} bytes: split it.")
        return read_questions(file.read_text(encoding="utf-8"), name=str(file))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): check its path.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{file}, line {line} is not UTF-8: save the file as UTF-8.") from error
