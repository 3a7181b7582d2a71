"""The children of `omni up`: started again when they crash, given up in the end, all stopped."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from omni_pipeline.commands.server import processes
from omni_pipeline.commands.server.processes import STEADY_SECONDS, ProcessGroup
from omni_pipeline.errors import PermanentError

# `python -m timeit` runs a line of code in a process, as a child of ours is a module.
LIVES = ["timeit", "-n1", "-r1", "import time; time.sleep(60)"]
CRASHES = ["timeit", "-n1", "-r1", "import os; os._exit(3)"]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def group(clock: Clock, tmp_path: Path) -> Iterator[ProcessGroup]:
    with ProcessGroup({}, logs=tmp_path / "logs", clock=clock) as group:
        yield group


_strangers: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def strangers() -> None:
    """Other tests of this process keep children too."""
    _strangers.clear()
    _strangers.update(psutil.Process().children())


def children() -> list[psutil.Process]:
    """Those of the group that live."""
    found = set(psutil.Process().children()) - _strangers
    return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]


def wait_for_end() -> None:
    deadline = time.monotonic() + 30
    while children():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_that_is_killed_is_started_again_after_a_second_and_said(
    group: ProcessGroup, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    group.start("daemon", LIVES)
    [first] = children()
    group.check()
    assert children() == [first]
    first.kill()
    wait_for_end()
    group.check()
    said = capsys.readouterr().err
    assert "The daemon was killed by SIGKILL and is started again in 1 s; see " in said
    assert str(group.logs / "daemon.log") in said
    group.check()
    assert children() == []
    clock.now += 1
    group.check()
    [second] = children()
    assert second.pid != first.pid
    assert "The daemon is started again." in capsys.readouterr().out


def test_who_crashes_again_and_again_is_waited_for_longer_and_given_up(
    group: ProcessGroup, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    group.start("webserver", CRASHES)
    for delay in (1, 2, 4, 8, 16):
        wait_for_end()
        group.check()
        assert f"ended with status 3 and is started again in {delay} s" in capsys.readouterr().err
        clock.now += delay
        group.check()
    wait_for_end()
    with pytest.raises(PermanentError, match=r"6th time in a row.*webserver\.log"):
        group.check()


def test_a_crash_after_ten_good_minutes_is_the_first_one_again(
    group: ProcessGroup, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """An `omni up` of a year is not ended by its sixth crash."""
    group.start("daemon", CRASHES)
    for _ in range(processes.MAX_RESTARTS + 2):
        wait_for_end()
        clock.now += STEADY_SECONDS
        group.check()
        assert "in 1 s" in capsys.readouterr().err
        clock.now += 1
        group.check()


def test_what_a_crashed_child_had_started_goes_on_and_is_stopped_with_the_rest(
    clock: Clock, tmp_path: Path
) -> None:
    """A code server's runs outlive it; Ctrl-C leaves none of them behind."""
    note = tmp_path / "grandchild"
    code = (
        f"import pathlib, subprocess, time; p = subprocess.Popen([{sys.executable!r}, '-c', "
        f"'import time; time.sleep(60)']); pathlib.Path({str(note)!r}).write_text(str(p.pid)); "
        "time.sleep(60)"
    )
    with ProcessGroup({}, logs=tmp_path / "logs", clock=clock) as group:
        group.start("code server", ["timeit", "-n1", "-r1", code])
        deadline = time.monotonic() + 30
        while not (note.exists() and note.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        run = psutil.Process(int(note.read_text()))
        children()[0].kill()
        wait_for_end()
        group.check()
        clock.now += 1
        group.check()
        assert run.is_running()
    _, alive = psutil.wait_procs([run], timeout=10)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    assert children() == []


def test_children_start_with_default_signals_whatever_their_parent_ignores(
    group: ProcessGroup,
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        group.start("daemon", LIVES)
    finally:
        signal.signal(signal.SIGINT, before)
    [child] = children()
    os.kill(child.pid, signal.SIGINT)
    wait_for_end()
