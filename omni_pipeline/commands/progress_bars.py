"""Progress bars on a terminal, one for each stage; nothing where there is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from omni_pipeline.commands.console import err
from omni_pipeline.steps.run.claimed_refresh import Listener, Progress, ignore_progress
from omni_pipeline.steps.run.progress import Pace, Speedometer, describe_details, describe_seconds

BAR_WIDTH = 10  # with six digits of pages and everything to say, a line has 80 columns


@contextmanager
def progress_bars(*, is_quiet: bool = False) -> Iterator[Listener]:
    """A listener that draws what it hears."""
    if is_quiet or not err.is_terminal:
        yield ignore_progress
        return
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(bar_width=BAR_WIDTH),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[details]}"),
    )
    with Bars(*columns, console=err, transient=False) as bars:
        yield _listener(bars)


def _listener(bars: Bars) -> Listener:
    task_by_stage = {}
    speedometer = Speedometer()

    def listen(progress: Progress) -> None:
        if progress.stage not in task_by_stage:
            task_by_stage[progress.stage] = bars.add_task(progress.stage, details="")
        bars.update(
            task_by_stage[progress.stage],
            completed=progress.done,
            total=progress.known,
            details=_details(progress, speedometer.read(progress)),
        )

    return listen


def _details(progress: Progress, pace: Pace) -> str:
    left = [] if pace.seconds_left is None else [f"~{describe_seconds(pace.seconds_left)} left"]
    return ", ".join([*describe_details(progress, pace), *left])
