"""Every fault and attack is shown by a test, or says why it is not."""

import pytest

from omni_pipeline_tests import fault_rows


@pytest.mark.parametrize("row", fault_rows.ROWS)
def test_every_row_is_shown_or_left_out_with_a_reason(row: str) -> None:
    shown = fault_rows.tests_by_row().get(row, [])
    is_left_out = row in fault_rows.LEFT_OUT
    assert bool(shown) != is_left_out, f"{row}: {shown or 'neither shown nor left out'}"
