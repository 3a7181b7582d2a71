"""The kinds of alerts and the query that finds them tell of the same ones, by the same names."""

import re
from string import Formatter

import pytest

from omni_pipeline.domain.alert_kinds import KINDS, kinds_found_in
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline.store.postgres.queries import load_queries

CONDITIONS = load_queries(alert_ledger.__name__)["conditions"].decode()
BRANCHES = {
    re.findall(r"SELECT '(\w+)'", branch)[-1]: branch for branch in CONDITIONS.split("UNION ALL")
}


def test_each_kind_that_is_found_in_tables_has_a_branch_and_no_branch_lacks_its_kind() -> None:
    assert set(BRANCHES) == set(kinds_found_in("tables"))


@pytest.mark.parametrize("kind", kinds_found_in("tables"))
def test_a_wording_tells_only_what_its_branch_finds(kind: str) -> None:
    places = {name for _, name, _, _ in Formatter().parse(KINDS[kind].wording or "") if name}
    found = set(re.findall(r"'(\w+)', ", BRANCHES[kind].split("jsonb_build_object")[1]))
    assert places - {"subject"} <= found


def test_every_limit_of_a_kind_is_a_parameter_of_its_branch() -> None:
    for name, kind in KINDS.items():
        assert all(f"%({limit})s" in BRANCHES[name] for limit in kind.limits)
