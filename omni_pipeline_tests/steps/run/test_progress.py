"""Progress in numbers that can be trusted: a rate with evidence, an end that is in sight (R-C7)."""

import pytest

from omni_pipeline.steps.run.claimed_refresh import Progress
from omni_pipeline.steps.run.progress import Pace, Speedometer, describe_progress, describe_seconds


class Watch:
    """A clock that is set by hand, and a speedometer that looks at it."""

    def __init__(self) -> None:
        self.now = 100.0
        self._speedometer = Speedometer(lambda: self.now)

    def read(self, at: float, done: int, known: int, stage: str = "raw_pages") -> Pace:
        self.now = 100.0 + at
        return self._speedometer.read(Progress(stage=stage, done=done, known=known))


def test_the_first_report_and_those_right_after_it_are_no_evidence() -> None:
    watch = Watch()
    assert watch.read(0, 50, 500) == Pace(elapsed_seconds=0)
    assert watch.read(2.5, 80, 500) == Pace(elapsed_seconds=2.5)
    assert watch.read(3, 80, 500).rate == 10


def test_what_an_interrupted_crawl_had_done_is_not_counted_as_speed() -> None:
    watch = Watch()
    watch.read(0, 400, 500)
    assert watch.read(10, 450, 500) == Pace(elapsed_seconds=10, rate=5, seconds_left=10)


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    watch = Watch()
    for second in range(61):
        watch.read(second, second * 10, 10_000)
    for second in range(61, 121):
        pace = watch.read(second, 600 + (second - 60), 10_000)
    assert pace.rate == pytest.approx(1.0)
    assert pace.elapsed_seconds == 120


def test_there_is_a_rate_though_reports_come_seldom() -> None:
    watch = Watch()
    watch.read(0, 0, 100)
    watch.read(50, 10, 100)
    assert watch.read(100, 30, 100).rate == pytest.approx(0.4)


def test_no_end_is_told_while_more_is_found_than_done() -> None:
    watch = Watch()
    watch.read(0, 10, 100)
    assert watch.read(10, 60, 150).seconds_left is None
    assert watch.read(20, 110, 200).rate == 5
    assert watch.read(20, 110, 150).seconds_left == pytest.approx(8)


def test_nothing_done_is_no_rate_and_everything_done_has_no_time_left() -> None:
    watch = Watch()
    watch.read(0, 10, 100)
    assert watch.read(10, 10, 100).rate is None
    assert watch.read(20, 100, 100).seconds_left is None


def test_stages_have_speeds_of_their_own() -> None:
    watch = Watch()
    watch.read(0, 0, 100)
    watch.read(10, 100, 100)
    assert watch.read(10, 0, 900, stage="embeddings").elapsed_seconds == 0
    assert watch.read(20, 300, 900, stage="embeddings").rate == 30


@pytest.mark.parametrize(
    ("progress", "pace", "line"),
    [
        (
            Progress(stage="raw_pages", done=320, known=527, failed=3),
            Pace(elapsed_seconds=40, rate=8.13, seconds_left=25.6),
            "raw_pages: 320 of 527 known pages done (8.1/s, 3 failed), about 26 s left",
        ),
        (
            Progress(stage="raw_pages", done=50, known=60),
            Pace(elapsed_seconds=0),
            "raw_pages: 50 of 60 known pages done",
        ),
        (
            Progress(stage="embeddings", done=1_000, known=60_000),
            Pace(elapsed_seconds=9, rate=120.4, seconds_left=490),
            "embeddings: 1,000 of 60,000 chunks done (120/s), about 8 min left",
        ),
        (
            Progress(stage="chunks", done=9, known=9, failed=1),
            Pace(elapsed_seconds=9),
            "chunks: 9 of 9 pages done (1 failed)",
        ),
    ],
)
def test_progress_is_one_line(progress: Progress, pace: Pace, line: str) -> None:
    assert describe_progress(progress, pace) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (9_000, "2.5 h"),
        (43_200, "12 h"),
        (259_200, "3 d"),
    ],
)
def test_a_length_of_time_has_two_digits_and_the_right_unit(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text
