"""A run is about one domain: one that names a range of them has no place in the queue."""

import dagster as dg
import pytest

from omni_pipeline.defs.runs.request import PARTITION_TAG, RANGE_TAG, OneDomainError, partition_of


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {RANGE_TAG: "a.test", "dagster/asset_partition_range_end": "z.test"},
        {PARTITION_TAG: "a.test", RANGE_TAG: "a.test"},
    ],
)
def test_a_run_that_names_no_single_domain_is_refused(tags: dict[str, str]) -> None:
    """A ranged backfill would hold no domain's place, and the queue could not keep it apart.

    F-F8.
    """
    with pytest.raises(OneDomainError, match="one run per partition"):
        partition_of(dg.DagsterRun(job_name="refresh_domain", tags=tags))


def test_a_run_of_one_partition_is_about_that_domain() -> None:
    run = dg.DagsterRun(job_name="refresh_domain", tags={PARTITION_TAG: "a.test"})
    assert partition_of(run) == "a.test"
