"""Every fault and attack is shown by a test, or says why it is not."""

import pytest

from omni_pipeline_tests.fault_rows import LEFT_OUT, ROWS, tests_by_row


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_shown_or_left_out_with_a_reason(row: str) -> None:
    shown = tests_by_row().get(row, [])
    assert bool(shown) != (row in LEFT_OUT), f"{row}: {shown or 'neither shown nor left out'}"
