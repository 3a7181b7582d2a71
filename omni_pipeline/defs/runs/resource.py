"""The resource of a refresh: claims the domain for the first asset, closes the job at the end."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import dagster as dg
from psycopg import Connection

from omni_pipeline import faults
from omni_pipeline.domain.crawl.selection import name_part
from omni_pipeline.domain.web.urls import check_partition_key
from omni_pipeline.errors import OmniError, SettingsError
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.steps.checks.counts import CountsReport
from omni_pipeline.steps.run.claimed_refresh import Listener, Progress, Refresh, open_refresh
from omni_pipeline.steps.run.progress import Speedometer, describe_progress
from omni_pipeline.steps.run.reaper import reap_lost_jobs, this_worker
from omni_pipeline.steps.services.preflight import check_embedding
from omni_pipeline.steps.services.services import Services
from omni_pipeline.store.jobs import crawl_jobs
from omni_pipeline.store.jobs.crawl_jobs import Request, TickDoneError
from omni_pipeline.store.jobs.domains import Domain
from omni_pipeline.store.postgres.database import Database, open_database
from omni_pipeline.store.postgres.migrations import check_schema
from omni_pipeline.store.postgres.session import Session

WorkContext = dg.AssetExecutionContext | dg.OpExecutionContext

PARTITION_TAG = "dagster/partition"
RANGE_TAG = "dagster/asset_partition_range_start"
SCHEDULED_FOR_TAG = "omni/scheduled_for"
# On every re-execution; the second only where Dagster restarted a crashed worker by itself.
PARENT_TAG = "dagster/parent_run_id"
RESTART_TAG = "dagster/retry_number"

SECONDS_BETWEEN_LOG_LINES = 15.0

INTERRUPTED = (
    "The refresh was interrupted. What it had finished is kept, and the next one goes on from it."
)


class RunningRefresh:
    """This run's refresh. The domain is claimed by the first asset that works, not before.

    A run is closed by what its assets did: the first error that left an asset, or a blocking check
    that failed, is written to the job.
    """

    def __init__(
        self, instance: dg.DagsterInstance, run: dg.DagsterRun, listener: Listener | None
    ) -> None:
        self._instance = instance
        self.run = run
        self._listener = listener
        self._resources = ExitStack()
        self._claimed: tuple[Refresh, Services] | None = None
        self._error: BaseException | None = None
        self.worked_seconds = 0.0

    @property
    def domain(self) -> Domain:
        """The claimed domain as it is configured."""
        assert self._claimed is not None, "an asset works before it reports"
        return self._claimed[0].domain

    @contextmanager
    def working(self, context: WorkContext) -> Iterator[tuple[Refresh, Services]]:
        """The claimed refresh and its tools, for one asset; afterwards `worked_seconds` is told.

        Raises:
            dagster.Failure: Whatever of ours went wrong, as one line for the run page.
            dagster.DagsterExecutionInterruptedError: Another run has done what this one was
                scheduled for; it ends as cancelled, not as failed.
        """
        started = time.monotonic()
        try:
            if self._claimed is None:
                self._claimed = self._claim(context)
            yield self._claimed
            self.worked_seconds = time.monotonic() - started
        except TickDoneError as done:
            self._instance.report_run_canceling(self.run, message=str(done))
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
            return self._session.run(lambda conn: check(conn, partition_of(self.run)))
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

    def _claim(self, context: WorkContext) -> tuple[Refresh, Services]:
        host = partition_of(self.run)
        session = self._session
        session.run(check_schema)
        fail_runs_of_lost_jobs(self._instance, session, self._settings)
        report = self._listener or log_progress(context)
        refresh = self._resources.enter_context(
            open_refresh(self._database, self._settings, host, self.request(), report)
        )
        services = self.choose_model(Services(self._settings, session, self._resources))
        refresh = replace(refresh, settings=services.settings)
        self._announce(context, refresh, services)
        check_embedding(services, session)
        return refresh, services

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
        session = Session(self._database)
        self._resources.callback(session.close)
        return session

    def request(self) -> Request:
        """What the run was asked to do, for its job's row.

        Raises:
            SettingsError: The part of the site that it names is none.
        """
        part = name_part(
            self.asked("raw_pages", "job_type", default=None),
            self.asked("raw_pages", "only", default=()),
        )
        return Request(
            job_type=part.job_type,
            part=part,
            run_id=self.run.run_id,
            worker=this_worker(),
            force_rescrape=self.asked("raw_pages", "force_rescrape", default=False),
            force_reembed=self.asked("embeddings", "force_reembed", default=False),
            page_limit=self.asked("raw_pages", "max_pages", default=None),
            scheduled_for=scheduled_time(self.run),
        )

    def asked(self, op: str, name: str, *, default: Any) -> Any:
        """What the run's configuration says of one field of an asset or op."""
        config: Mapping[str, Any] = self.run.run_config
        return config.get("ops", {}).get(op, {}).get("config", {}).get(name, default)

    def choose_model(self, configured: Services) -> Services:
        """The tools of the model that is written first: the one that search answers from."""
        return configured.of_index()

    def describe(self, refresh: Refresh) -> str:
        """What the first line of the log says is done."""
        request = refresh.request
        part = "" if request.part.is_whole else f", only {request.part}"
        return (
            f"Refreshing {refresh.domain.host}{part} as job {refresh.claim.job_id}: "
            f"force_rescrape={request.force_rescrape}, force_reembed={request.force_reembed}, "
            f"max_pages={request.page_limit or 'domain default'}"
        )

    def notes(self, services: Services) -> tuple[str | None, ...]:
        """What a person should know of the model, before anything is done with it."""
        return services.model.announcement, services.note_on_model()

    def _announce(self, context: WorkContext, refresh: Refresh, services: Services) -> None:
        """Say in the first log line and in the run's tags what was asked for (A5)."""
        flags = {
            "omni/force_rescrape": str(refresh.request.force_rescrape).lower(),
            "omni/force_reembed": str(refresh.request.force_reembed).lower(),
            # Restarted after a crash, a run is a whole refresh again; by default Dagster leaves
            # out the steps that were done, and the domain would not count as refreshed.
            "dagster/retry_strategy": "ALL_STEPS",
        }
        context.log.info(f"{self.describe(refresh)}, model {services.model.name}.")
        self._instance.add_run_tags(self.run.run_id, flags)
        for note in self.notes(services):
            if note:
                context.log.warning(note)


class InterruptedRunError(OmniError):
    """The run was terminated by a person or a deploy."""

    kind = "transient.interrupted"


class CheckFailedError(OmniError):
    """A blocking check found the data wrong after it was written."""

    kind = "permanent.check_failed"


def refresh_resource(
    listener: Listener | None = None, kind: type[RunningRefresh] = RunningRefresh
) -> dg.ResourceDefinition:
    """The resource of one run; ``listener`` hears of progress instead of the run's log."""

    def open_run(context: dg.InitResourceContext) -> Iterator[RunningRefresh]:
        assert context.run is not None, "a refresh is a run"
        assert context.instance is not None
        running = kind(context.instance, context.run, listener)
        try:
            yield running
        finally:
            running.close()

    return dg.ResourceDefinition(
        resource_fn=contextmanager(open_run),
        description="The claim on the domain, with its lease and fence, for the length of the run.",
    )


def partition_of(run: dg.DagsterRun) -> str:
    """The one domain that a run is about.

    Raises:
        SettingsError: It names none, or a range of them: such a run holds no place in the queue for
            any single domain.
    """
    if RANGE_TAG in run.tags or PARTITION_TAG not in run.tags:
        raise OneDomainError(
            "This run names no single domain: launch one run per partition (a backfill without a "
            "backfill policy does), so that the queue admits one run per domain."
        )
    return check_partition_key(run.tags[PARTITION_TAG])


def scheduled_time(run: dg.DagsterRun) -> datetime | None:
    """The time of the schedule that asked for the run; None for what a person launched.

    Who re-executes a scheduled run by hand wants it done again, whatever the schedule has seen; a
    crashed worker that Dagster restarts goes on for its schedule.
    """
    stamp = run.tags.get(SCHEDULED_FOR_TAG)
    is_by_hand = PARENT_TAG in run.tags and RESTART_TAG not in run.tags
    if stamp is None or is_by_hand:
        return None
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC)
    except ValueError as error:
        raise SettingsError(
            f"The run's tag {SCHEDULED_FOR_TAG}={stamp[:40]!r} is no time: it is set by the daily "
            "refresh alone. Launch the run without it."
        ) from error


class OneDomainError(OmniError):
    """A run must be about exactly one domain."""

    kind = "permanent.one_domain"


def fail_runs_of_lost_jobs(
    instance: dg.DagsterInstance, session: Session, settings: Settings
) -> list[str]:
    """Reap, and fail the Dagster runs of what was reaped, so that the queue moves (B2).

    Also the runs of jobs that another reaper ended, which may have died before it came to them.

    Returns:
        The hosts whose jobs were ended.
    """
    faults.arm(settings.faults)
    lost = reap_lost_jobs(session, lease_seconds=settings.lease_seconds)
    for job in session.run(crawl_jobs.reaped_lately):
        run = instance.get_run_by_id(job.run_id) if job.run_id else None
        if run is not None and not run.is_finished:
            instance.report_run_failed(
                run, f"The worker of job {job.job_id} ({job.host}) is gone; its lease was ended."
            )
    return [job.host for job in lost]


def log_progress(context: WorkContext, clock: Callable[[], float] = time.monotonic) -> Listener:
    """A listener that writes to the run's log, at most a line every 15 s."""
    speedometer = Speedometer(clock)
    last = clock()

    def listen(progress: Progress) -> None:
        nonlocal last
        pace = speedometer.read(progress)
        if clock() - last < SECONDS_BETWEEN_LOG_LINES:
            return
        last = clock()
        context.log.info(describe_progress(progress, pace))

    return listen
