"""Progress bars on a terminal, one for each stage; nothing where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from omni_pipeline.commands.console import err
from omni_pipeline.steps.refresh import Listener, Progress, ignore_progress


@contextmanager
def progress_bars(*, is_quiet: bool = False) -> Iterator[Listener]:
    """A listener that draws what it hears."""
    if is_quiet or not err.is_terminal:
        yield ignore_progress
        return
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[failed]}"),
    )
    with Bars(*columns, console=err, transient=False) as bars:
        yield _listener(bars)


def _listener(bars: Bars) -> Listener:
    task_by_stage = {}

    def listen(progress: Progress) -> None:
        if progress.stage not in task_by_stage:
            task_by_stage[progress.stage] = bars.add_task(progress.stage, failed="")
        bars.update(
            task_by_stage[progress.stage],
            completed=progress.done,
            total=progress.known,
            failed=f"{progress.failed} failed" if progress.failed else "",
        )

    return listen
