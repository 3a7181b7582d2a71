"""One refresh of one domain, from claim to close: what every step works in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import LeaseLostError, OmniError
from omni_pipeline.settings import Settings
from omni_pipeline.steps.run.lease import Lease
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Claim, Request
from omni_pipeline.store.jobs.domains import Domain
from omni_pipeline.store.postgres import commits
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.session import Session

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# A database driver quotes whole statements; nobody reads them in a ledger.
MAX_OF_AN_ERROR = 1000

STAGES = ("raw_pages", "cleaned_pages", "chunks", "embeddings")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a stage is: ``done`` of ``known`` (pages or chunks), ``failed`` among them."""

    stage: str
    done: int
    known: int
    failed: int = 0


Listener = Callable[[Progress], None]


class History:
    """The newest transaction that this run knows to be committed.

    Transaction ids only grow, until a database is restored or another server takes over without the
    newest transactions: then they are handed out again, and what this run wrote may be lost.
    """

    def __init__(self) -> None:
        self._newest = 0

    def goes_on(self, transaction_id: str) -> bool:
        """Whether a new transaction comes after everything that was committed."""
        return int(transaction_id) > self._newest

    def note(self, transaction_id: str) -> None:
        """This transaction was committed."""
        self._newest = max(self._newest, int(transaction_id))


def ignore_progress(_: Progress) -> None:
    """The listener of those who do not watch."""


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """A claimed domain, and the ways to its rows: ``read``, and ``write`` behind the fence."""

    settings: Settings
    domain: Domain
    claim: Claim
    request: Request
    lease: Lease
    session: Session
    report: Listener = ignore_progress
    finished_stages: set[str] = field(default_factory=set)
    history: History = field(default_factory=History)

    def write(
        self,
        work: Callable[Concatenate[Connection, Claim, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """``work(connection, claim, ...)`` in one transaction that holds the fence.

        Repeated as a whole after a passing fault of the database, unless it was committed.

        Raises:
            LeaseLostError: The domain is not ours any more, or the database has lost what this run
                wrote; nothing was written.
        """
        self.lease.check()
        return self.session.run(
            commits.once(self._fenced, lambda conn: work(conn, self.claim, *args, **kwargs))
        )

    @contextmanager
    def _fenced(self, conn: Connection) -> Iterator[str]:
        with crawl_jobs.fenced(conn, self.claim) as transaction_id:
            if not self.history.goes_on(transaction_id):
                raise crawl_jobs.older_database(self.claim)
            yield transaction_id
        self.history.note(transaction_id)

    def read(
        self,
        work: Callable[Concatenate[Connection, Claim, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """``work(connection, claim, ...)`` without the fence, repeated after passing faults."""
        self.lease.check()
        return self.session.run(lambda conn: work(conn, self.claim, *args, **kwargs))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note on the job that this stage is worked on, and afterwards that it was finished."""
        self.read(crawl_jobs.enter_stage, name)
        yield
        self.finished_stages.add(name)


@contextmanager
def open_refresh(
    database: Database,
    settings: Settings,
    host: str,
    request: Request,
    report: Listener = ignore_progress,
    *,
    ends_process: bool = False,
) -> Iterator[Refresh]:
    """Claim the domain, keep the lease while the caller works, and close the job whatever happens.

    Args:
        database: Where.
        settings: The lease's length, among others.
        host: The domain.
        request: What the job row remembers of what was asked for.
        report: Hears of progress.
        ends_process: End this process when it hangs after the lease was lost; see ``Lease``.

    Raises:
        UnknownDomainError: The domain is not registered.
        DomainBusyError: Another run holds it.
    """
    faults.arm(settings.faults)
    with Session(database) as session:
        domain = session.run(lambda conn: domains.get(conn, host))
        # Repeated blindly, a claim would meet itself and call the domain busy.
        claim = session.run(
            commits.once(
                commits.numbered, lambda conn: crawl_jobs.claim(conn, domain.id, host, request)
            )
        )
        faults.point("CP01")
        lease = Lease(
            database,
            claim,
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            ends_process=ends_process,
        )
        with lease:
            yield from _closing(
                Refresh(
                    settings=settings,
                    domain=domain,
                    claim=claim,
                    request=request,
                    lease=lease,
                    session=session,
                    report=report,
                )
            )


def _closing(refresh: Refresh) -> Iterator[Refresh]:
    try:
        yield refresh
    except BaseException as error:
        _finish(refresh, describe(error, Redactor.of_settings(refresh.settings)))
        raise
    _finish(refresh, None)


def describe(error: BaseException, redactor: Redactor) -> tuple[str, str]:
    """The kind and the message under which an error is stored: one line, without secrets (S-71)."""
    if isinstance(error, OmniError):
        return error.kind, redactor.line(str(error), limit=MAX_OF_AN_ERROR)
    unforeseen = f"{type(error).__name__}: {error}"
    kind = f"permanent.{type(error).__name__}"
    return kind, redactor.line(unforeseen, limit=MAX_OF_AN_ERROR)


def _finish(refresh: Refresh, error: tuple[str, str] | None) -> None:
    """Close the job. If it was ended by somebody else meanwhile, their word stands (R-B4)."""
    is_whole = refresh.request.part.is_whole and refresh.finished_stages.issuperset(STAGES)
    was_ours = refresh.session.run(
        lambda conn: crawl_jobs.finish(conn, refresh.claim, error=error, is_whole=is_whole)
    )
    faults.point("CP14")
    if not was_ours and error is None:
        raise LeaseLostError(
            f"The refresh of {refresh.domain.host} (job {refresh.claim.job_id}) was ended by the "
            "reaper or by the removal of the domain before it could say that it was done."
        )
