"""Dagster's Postgres storage over connections that are kept.

Dagster's own opens a connection for every event that it stores: some 340 for a refresh, each of
them a process that Postgres forks. That cost more than all else that orchestrates a refresh.
"""

from collections.abc import Mapping
from typing import Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import (
    create_pg_engine,
    get_token_provider_from_config,
    pg_url_from_config,
)

# Threads that meet open further connections, which are closed after use.
_KEPT = {
    "isolation_level": "AUTOCOMMIT",
    "max_overflow": -1,
    "pool_pre_ping": True,
    "pool_size": 1,
}


class PostgresStorage(DagsterPostgresStorage):
    """As Dagster's, with at most one connection kept for each of its three storages.

    A kept connection is tried before it is used: a server that was restarted in between costs one
    round trip instead of an event.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Called by Dagster with what dagster.yaml says."""
        url = pg_url_from_config(dict(config_value))
        tokens = get_token_provider_from_config(dict(config_value))
        storage = cls(
            postgres_url=url,
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
            token_provider=tokens,
        )
        for part in (storage._run_storage, storage._event_log_storage, storage._schedule_storage):
            part._engine = create_pg_engine(url, tokens, **_KEPT)  # noqa: SLF001 - no other way in
        return storage
