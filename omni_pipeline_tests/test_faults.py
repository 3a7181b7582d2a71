"""Crash points: each is in the code once, does what it is told, and else nothing."""

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from omni_pipeline import faults
from omni_pipeline.errors import SettingsError
from omni_pipeline.faults import POINTS, InjectedFaultError, arm, point

PACKAGE = Path(faults.__file__).parent


@pytest.fixture(autouse=True)
def _disarmed_afterwards() -> Iterator[None]:
    yield
    arm(None)


def passes(specification: str) -> "subprocess.Popen[str]":
    """A process that passes CP08 until it is stopped, saying so each time."""
    script = (
        "from omni_pipeline.faults import arm, point\n"
        f"arm({specification!r})\n"
        "for number in range(1, 6):\n"
        "    point('CP08')\n"
        "    print(number, flush=True)\n"
    )
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_each_point_stands_in_the_code_once() -> None:
    placed = Counter(
        name
        for file in PACKAGE.rglob("*.py")
        for name in re.findall(r"faults\.point\(\"(CP\d\d)\"\)", file.read_text())
    )
    assert placed == Counter(list(POINTS))


def test_a_point_that_nobody_armed_is_inert() -> None:
    for name in POINTS:
        point(name)
    arm("CP09:1:RAISE")
    point("CP08")


def test_a_point_acts_at_the_pass_that_was_named_and_not_again() -> None:
    arm("CP08:3:RAISE")
    point("CP08")
    point("CP08")
    with pytest.raises(InjectedFaultError, match="CP08") as raised:
        point("CP08")
    assert raised.value.kind == "transient.injected"
    point("CP08")


def test_arming_anew_forgets_what_was_armed_before() -> None:
    arm("CP08:1:RAISE")
    arm("CP09:1:RAISE")
    point("CP08")
    arm(None)
    point("CP09")


def test_kill_ends_the_process_on_the_spot() -> None:
    with passes("CP08:3:KILL") as process:
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output.split()) == (-signal.SIGKILL, ["1", "2"])


def test_stop_freezes_the_process_for_so_many_seconds() -> None:
    with passes("CP08:2:STOP:0.4") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        started = time.monotonic()
        output, _ = process.communicate(timeout=30)
    assert output.split() == ["2", "3", "4", "5"]
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    "specification",
    ["CP99:1:KILL", "CP08", "CP08:0:KILL", "CP08:1:HALT", "CP08:1:KILL:2", "CP08:1:STOP:-1", " "],
)
def test_a_specification_that_cannot_be_read_is_refused_with_the_remedy(specification: str) -> None:
    with pytest.raises(SettingsError, match="it must be POINT:PASS:ACTION"):
        arm(specification)
