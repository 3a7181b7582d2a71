"""What every command works with: settings, a migrated database, Dagster when asked for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from omni_pipeline.domain.web.urls import Site, parse_site
from omni_pipeline.errors import UnknownDomainError
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.store.jobs import domains
from omni_pipeline.store.jobs.domains import Domain, NewDomain
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline.store.postgres.migrations import check_schema, migrate, pending, read_migrations
from omni_pipeline.store.postgres.server_checks import check_server
from omni_pipeline.store.postgres.session import Session

if TYPE_CHECKING:
    import dagster as dg


# A person waits: a database that is away is said to be away soon.
RETRY_SECONDS = 2.0


class Application:
    """One command's connections; Dagster is imported only when a command asks for its instance."""

    def __init__(self, settings: Settings, database: Database, resources: ExitStack) -> None:
        self.settings = settings
        self.database = database
        self._resources = resources
        self.session = resources.enter_context(Session(database, retry_seconds=RETRY_SECONDS))

    @cached_property
    def dagster_environment(self) -> dict[str, str]:
        """What Dagster's processes need in their environment."""
        from omni_pipeline.defs.instance.environment import dagster_environment

        return dagster_environment(self.settings, self.database)

    @cached_property
    def instance(self) -> "dg.DagsterInstance":
        """Dagster's instance."""
        from omni_pipeline.defs.instance.environment import open_instance

        return self._resources.enter_context(open_instance(self.dagster_environment))

    def prepare_schema(self) -> None:
        """Check the schema; an embedded database that is still empty is migrated on the spot.

        Raises:
            SchemaError: The schema is behind or ahead; the message says what to do.
        """
        self.session.run(check_server)
        is_own = self.settings.database_url is None
        if is_own and len(self.session.run(pending)) == len(read_migrations()):
            self.session.run(migrate)
        self.session.run(check_schema)

    def find_domain(self, target: str) -> tuple[Site, Domain | None]:
        """The site that a host or URL names, and its domain when it is registered."""
        site = parse_site(target, allowed=self.settings.allow_addresses)
        return site, self.session.run(lambda conn: domains.find(conn, site.key))

    def get_domain(self, target: str) -> Domain:
        """The registered domain that a host or URL names.

        Raises:
            UnknownDomainError: It is not registered.
        """
        # A registered key need not be reachable under today's settings to be shown or removed.
        exact = self.session.run(lambda conn: domains.find(conn, target))
        if exact is not None:
            return exact
        site, domain = self.find_domain(target)
        if domain is None:
            raise UnknownDomainError(domains.unknown(site.key))
        return domain

    def register(self, domain: NewDomain) -> bool:
        """Register a domain and its partition; False when it was registered already."""
        from omni_pipeline.defs.instance.environment import add_partition

        is_new = self.session.run(lambda conn: domains.add(conn, domain))
        add_partition(self.instance, domain.host)
        return is_new


@contextmanager
def open_application(*, prepare: bool = True) -> Iterator[Application]:
    """Settings, database and sessions for one command.

    Args:
        prepare: Check the schema first; `omni migrate` and `omni doctor` do that themselves.
    """
    settings = read_settings()
    with ExitStack() as resources:
        database = resources.enter_context(open_database(settings, application_name="omni"))
        application = Application(settings, database, resources)
        if prepare:
            application.prepare_schema()
        yield application
