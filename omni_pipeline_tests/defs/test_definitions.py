"""What Dagster loads, and the settings that admit one run per domain."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import yaml

from omni_pipeline.definitions import defs
from omni_pipeline.defs.runs.partitions import DOMAINS
from omni_pipeline.defs.watch.domain_health import domain_health
from omni_pipeline.settings import CHECKOUT
from omni_pipeline_tests.defs.conftest import Console


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)


def test_dagsters_own_check_of_the_project_passes(console: Console) -> None:
    """As CI of anybody's Dagster deployment does it, in a process of its own."""
    dg_tool = Path(sys.executable).with_name("dg")
    checked = subprocess.run(
        [dg_tool, "check", "defs"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All definitions loaded successfully" in checked.stdout + checked.stderr


def test_every_asset_is_partitioned_by_domain_and_has_no_backfill_policy() -> None:
    """With any explicit policy Dagster drops the tag by which the queue tells domains apart.

    R-A8.
    """
    for asset in defs.resolve_all_asset_specs():
        is_of_all = asset.key == domain_health.key
        assert asset.partitions_def == (None if is_of_all else DOMAINS), asset.key
    for definition in defs.assets or ():
        assert isinstance(definition, dg.AssetsDefinition)
        assert definition.backfill_policy is None


def test_the_lineage_is_the_promised_one() -> None:
    """R-C1."""
    edges = {
        (dep.asset_key.to_user_string(), spec.key.to_user_string())
        for spec in defs.resolve_all_asset_specs()
        for dep in spec.deps
    }
    assert edges == {
        ("raw_pages", "cleaned_pages"),
        ("cleaned_pages", "chunks"),
        ("chunks", "embeddings"),
        ("raw_pages", "products"),
        ("products", "price_snapshots"),
        ("products", "companies"),
    }


def test_the_queue_admits_one_run_per_domain(console: Console) -> None:
    """R-A8: as Dagster itself understands the shipped dagster.yaml."""
    config = console.instance.get_concurrency_config().run_queue_config
    assert config is not None
    assert config.tag_concurrency_limits == [
        {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]


def test_telemetry_is_off() -> None:
    shipped = yaml.safe_load((CHECKOUT / "dagster.yaml").read_text())
    assert shipped["telemetry"] == {"enabled": False}


def test_workspace_yaml_names_the_definitions() -> None:
    workspace = yaml.safe_load((CHECKOUT / "workspace.yaml").read_text())
    [entry] = workspace["load_from"]
    assert entry["python_module"]["module_name"] == "omni_pipeline.definitions"
