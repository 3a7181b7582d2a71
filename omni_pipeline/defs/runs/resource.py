"""The resource of a refresh: claims the domain for the first asset, closes the job at the end."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import dagster as dg
from psycopg import Connection

from omni_pipeline.defs.runs.lost_jobs import fail_runs_of_lost_jobs
from omni_pipeline.defs.runs.request import partition_of, read_refresh
from omni_pipeline.defs.runs.run_log import WorkContext, describe_refresh, log_progress, tags_of
from omni_pipeline.errors import OmniError
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.steps.checks.counts import CountsReport
from omni_pipeline.steps.run.claimed_refresh import Listener, Refresh, open_refresh
from omni_pipeline.steps.services.model_services import ModelServices
from omni_pipeline.steps.services.preflight import check_embedding
from omni_pipeline.steps.services.services import Services
from omni_pipeline.store.jobs.crawl_jobs import Request, TickDoneError
from omni_pipeline.store.jobs.domains import Domain
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline.store.postgres.migrations import check_schema
from omni_pipeline.store.postgres.session import Session

INTERRUPTED = (
    "The refresh was interrupted. What it had finished is kept, and the next one goes on from it."
)


@dataclass(frozen=True, kw_only=True)
class RunKind:
    """What one kind of run does with its domain, where kinds differ."""

    read_request: Callable[[dg.DagsterRun], Request]
    choose_model: Callable[[Services, dg.DagsterRun], ModelServices]
    describe: Callable[[Refresh], str]


REFRESH = RunKind(
    read_request=read_refresh,
    # Written first is the model that search answers from.
    choose_model=lambda services, _: services.models.of_index(),
    describe=describe_refresh,
)


class RefreshWork(NamedTuple):
    """What an asset works with."""

    refresh: Refresh
    services: Services
    model: ModelServices


class RefreshRun:
    """This run's refresh. The domain is claimed by the first asset that works, not before.

    A run is closed by what its assets did: the first error that left an asset, or a blocking check
    that failed, is written to the job.

    Attributes:
        worked_seconds: How long the newest asset worked.
        reports: What the steps reported, as dataclasses, in the order of their assets.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        run: dg.DagsterRun,
        *,
        kind: RunKind = REFRESH,
        listener: Listener | None = None,
    ) -> None:
        self._instance = instance
        self._run = run
        self._kind = kind
        self._listener = listener
        self._resources = ExitStack()
        self._work: RefreshWork | None = None
        self._error: BaseException | None = None
        self.worked_seconds = 0.0
        self.reports: list[object] = []

    @property
    def domain(self) -> Domain:
        """The claimed domain as it is configured."""
        assert self._work is not None, "an asset works before it reports"
        return self._work.refresh.domain

    @contextmanager
    def working(self, context: WorkContext) -> Iterator[RefreshWork]:
        """The claimed refresh and its services, for one asset; then `worked_seconds` is known.

        Raises:
            dagster.Failure: Whatever of ours went wrong, as one line for the run page.
            dagster.DagsterExecutionInterruptedError: Another run has done what this one was
                scheduled for; it ends as cancelled, not as failed.
        """
        started = time.monotonic()
        try:
            if self._work is None:
                self._work = self._claim(context)
            yield self._work
            self.worked_seconds = time.monotonic() - started
        except TickDoneError as done:
            self._instance.report_run_canceling(self._run, message=str(done))
            raise dg.DagsterExecutionInterruptedError(str(done)) from done
        except OmniError as error:
            self._error = self._error or error
            raise dg.Failure(description=str(error), metadata={"kind": error.kind}) from error
        except dg.DagsterExecutionInterruptedError:
            self._error = self._error or InterruptedRunError(INTERRUPTED)
            raise
        except BaseException as error:
            self._error = self._error or error
            raise

    def count(self, check: Callable[[Connection, str], CountsReport]) -> CountsReport:
        """Run a check of this run's domain; one that fails makes the run's job end as failed."""
        report = self.look(check)
        if not report.passed:
            self._error = self._error or CheckFailedError(report.summary, kind=report.kind)
        return report

    def look(self, check: Callable[[Connection, str], CountsReport]) -> CountsReport:
        """Run a check of this run's domain that a refresh may fail and still be complete.

        What could not be looked at is not taken for right.
        """
        try:
            return self._session.run(lambda conn: check(conn, partition_of(self._run)))
        except OmniError as error:
            summary = f"This could not be checked: {error}"
            return CountsReport(passed=False, summary=summary, numbers={}, kind=error.kind)

    def close(self) -> None:
        """Close the job, the clients and the sessions; safe when nothing was opened."""
        error = self._error
        try:
            self._resources.__exit__(type(error) if error else None, error, None)
        except BaseException as raised:
            if raised is not error:
                raise

    def _claim(self, context: WorkContext) -> RefreshWork:
        host = partition_of(self._run)
        self._session.run(check_schema)
        fail_runs_of_lost_jobs(self._instance, self._session, self._settings, claiming=host)
        request = self._kind.read_request(self._run)
        report = self._listener or log_progress(context)
        refresh = self._resources.enter_context(
            open_refresh(self._database, self._settings, host, request, report)
        )
        services = Services(self._settings, self._session, self._resources)
        model = self._kind.choose_model(services, self._run)
        work = RefreshWork(replace(refresh, settings=model.settings), services, model)
        self._announce(context, work)
        check_embedding(model, self._session)
        return work

    def _announce(self, context: WorkContext, work: RefreshWork) -> None:
        """Say in the first log line and in the run's tags what was asked for (R-A5)."""
        model = work.model.model
        context.log.info(f"{self._kind.describe(work.refresh)}, model {model.name}.")
        self._instance.add_run_tags(self._run.run_id, tags_of(work.refresh.request))
        note = work.services.models.note_on(model) if self._kind is REFRESH else None
        for line in filter(None, (model.announcement, note)):
            context.log.warning(line)

    @cached_property
    def _settings(self) -> Settings:
        return read_settings()

    @cached_property
    def _database(self) -> Database:
        return self._resources.enter_context(
            open_database(self._settings, application_name="omni refresh")
        )

    @cached_property
    def _session(self) -> Session:
        return self._resources.enter_context(Session(self._database))


class InterruptedRunError(OmniError):
    """The run was terminated by a person or a deploy."""

    kind = "transient.interrupted"


class CheckFailedError(OmniError):
    """A blocking check found the data wrong after it was written."""

    kind = "permanent.check_failed"


def refresh_resource(
    listener: Listener | None = None,
    *,
    kind: RunKind = REFRESH,
    on_close: Callable[[RefreshRun], None] = lambda _: None,
) -> dg.ResourceDefinition:
    """The resource of one run.

    Args:
        listener: Hears of progress instead of the run's log.
        kind: What the run does with its domain.
        on_close: Is given the run when it is over: whoever runs it in its own process reads the
            reports of it.
    """

    def open_run(context: dg.InitResourceContext) -> Iterator[RefreshRun]:
        assert context.run is not None, "a refresh is a run"
        assert context.instance is not None
        running = RefreshRun(context.instance, context.run, kind=kind, listener=listener)
        try:
            yield running
        finally:
            on_close(running)
            running.close()

    return dg.ResourceDefinition(
        resource_fn=contextmanager(open_run),
        description="The claim on the domain, with its lease and fence, for the length of the run.",
    )
