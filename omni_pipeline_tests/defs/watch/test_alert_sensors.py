"""The sensors that tell people, on real runs, through the shipped instance to a real webhook."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import dagster as dg
import pytest

from omni_pipeline.definitions import defs
from omni_pipeline.defs.watch import alert_sensors as sensors
from omni_pipeline.defs.watch.alert_sensors import read_events
from omni_pipeline.store.jobs import crawl_jobs, domains
from omni_pipeline.store.jobs.crawl_jobs import Request
from omni_pipeline.store.monitoring import alert_ledger
from omni_pipeline.store.usage import circuit_breakers
from omni_pipeline_tests.conftest import find_free_port
from omni_pipeline_tests.defs.conftest import Console
from omni_pipeline_tests.defs.runs.test_runs import LOSE_A_VECTOR
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer
from omni_pipeline_tests.webhook_receiver import WebhookReceiver

BROKEN_PAGES = [
    f"/docs/{name}.html"
    for name in ("alerts", "api", "backup", "configuration", "errors", "glossary", "hardware")
]
PASS_GAP = b"UPDATE alert_targets SET next_try_at = now() RETURNING name"


class Watch:
    """Ticks both sensors as the daemon would, with their cursors."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cursors: dict[str, str | None] = {}

    def tick(self) -> str:
        self._tick(sensors.watch_runs_and_checks)
        return self._tick(sensors.send_alerts)

    def _tick(self, sensor: dg.SensorDefinition) -> str:
        cursor = self._cursors.get(sensor.name)
        with dg.build_sensor_context(instance=self._console.instance, cursor=cursor) as context:
            result = sensor(context)
            self._cursors[sensor.name] = context.cursor
        assert isinstance(result, dg.SkipReason)
        return result.skip_message or ""

    def open(self) -> list[tuple[str, str]]:
        with self._console.database.connect() as conn:
            found = alert_ledger.list_recent(conn)
        return [(alert.kind, alert.subject) for alert in found if alert.recovered_at is None]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as server:
        monkeypatch.setenv("OMNI_ALERT_URLS", server.url)
        monkeypatch.setenv("OMNI_ALERT_WEBHOOK_SECRET", "a-shared-secret")
        yield server


@pytest.fixture
def watch(console: Console) -> Watch:
    return Watch(console)


def fail_check(console: Console, *, passed: bool, partition: str, description: str) -> None:
    """A check that does not block, of a run that goes well whatever it says."""

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition([partition]))
    def sample() -> None: ...

    @dg.asset_check(asset=sample, partitions_def=sample.partitions_def)
    def sample_is_right() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passed, description=description)

    result = dg.materialize(
        [sample, sample_is_right], instance=console.instance, partition_key=partition
    )
    assert result.success


def fail_before_it_starts(console: Console, why: str, *, retries: int) -> None:
    run = console.instance.create_run_for_job(
        job_def=defs.resolve_job_def("refresh_domain"),
        tags={"dagster/partition": console.host, "dagster/max_retries": str(retries)},
    )
    console.instance.report_run_failed(run, why)


def test_a_planted_mismatch_arrives_once_and_so_does_its_end(
    console: Console, watch: Watch, receiver: WebhookReceiver
) -> None:
    """R-C3: the checks and the run that they stopped are one message; what goes well is none."""
    console.refresh(max_pages=3)
    assert watch.tick() == "sent to 0 of 1 targets"
    assert (watch.open(), receiver.received) == ([], [])
    with console.database.connect() as conn:
        conn.execute(
            LOSE_A_VECTOR
        )  # while the refresh is under way: what was lost before, it mends
    assert console.refresh(max_pages=3).error
    for _ in range(3):
        watch.tick()
    checks = ("embeddings_match_chunks", "invariants_hold")
    subjects = [f"embeddings.{check} of {console.host}" for check in checks]
    assert sorted(watch.open()) == [("failed_check", subject) for subject in subjects]
    [text] = receiver.texts()
    assert "Check failed (new)\n" in text
    assert all(f"\n- {subject}: " in text for subject in subjects)

    with console.database.connect() as conn:
        conn.execute(b"DROP FUNCTION lose CASCADE; DELETE FROM publication_checks")
    assert console.refresh(max_pages=3).error is None
    assert console.query(PASS_GAP)
    for _ in range(3):
        watch.tick()
    assert watch.open() == []
    assert "Check failed (over)\n" in receiver.texts()[1]
    assert all(f"\n- {subject}\n" in receiver.texts()[1] for subject in subjects)
    assert len(receiver.received) == 2


def test_a_check_that_fails_without_failing_its_run_alerts(
    console: Console, watch: Watch, receiver: WebhookReceiver
) -> None:
    """Dagster's own run failure sensors do not see it."""
    fail_check(console, passed=False, partition=console.host, description="3 rows too many")
    watch.tick()
    assert "3 rows too many" in receiver.texts()[0]
    fail_check(console, passed=True, partition=console.host, description="")
    watch.tick()
    assert watch.open() == []


def test_what_a_site_made_a_check_say_is_json_to_programs(
    console: Console, watch: Watch, receiver: WebhookReceiver
) -> None:
    """S-57"""
    hostile = '</script><img src=x onerror=alert(1)> "\u202e\n{0}'
    fail_check(console, passed=False, partition=console.host, description=hostile)
    watch.tick()
    [alert] = receiver.received[0].json["alerts"]
    assert alert["message"].startswith("</script><img src=x onerror=alert(1)>")
    assert "\n" not in alert["message"]
    assert "\u202e" not in alert["message"]


def test_a_run_that_fails_alerts_in_its_own_words_until_one_succeeds(
    console: Console, watch: Watch, receiver: WebhookReceiver
) -> None:
    console.site.pages["/robots.txt"] = HTTPStatus.SERVICE_UNAVAILABLE
    outcome = console.refresh(max_pages=3)
    assert outcome.error
    watch.tick()
    assert watch.open() == [("failed_run", console.host)]
    assert f"- {console.host}: " in receiver.texts()[0]
    del console.site.pages["/robots.txt"]
    assert console.refresh(max_pages=3).error is None
    watch.tick()
    assert watch.open() == []


def test_a_run_that_could_not_start_alerts(console: Console, watch: Watch) -> None:
    """R-A20: it has no job; Dagster's monitor fails it in its own words."""
    fail_before_it_starts(console, "Timed out after more than 180 s", retries=0)
    watch.tick()
    assert watch.open() == [("failed_run", console.host)]
    [(message,)] = console.query(b"SELECT message FROM alerts")
    assert "more than 180 s" in str(message)


def test_a_run_that_met_another_one_alerts_in_the_words_of_its_step(
    console: Console, watch: Watch
) -> None:
    """It never had a job of its own, whose words are used otherwise."""
    with console.database.connect() as conn:
        domain = domains.get(conn, console.host)
        request = Request(run_id="the-other-run", worker="elsewhere:1:1:1")
        crawl_jobs.claim(conn, domain.id, console.host, request)
    console.refresh()
    watch.tick()
    [(message,)] = console.query(b"SELECT message FROM alerts")
    assert "is already being refreshed by run the-other-run" in str(message)


def test_a_run_that_is_tried_again_alerts_nobody_yet(console: Console, watch: Watch) -> None:
    """As the shipped dagster.yaml has Dagster decide it."""
    fail_before_it_starts(console, "The worker crashed.", retries=1)
    watch.tick()
    assert watch.open() == []


def test_a_target_that_is_down_fails_no_tick_and_hears_of_it_later(
    console: Console, watch: Watch, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-G9"""
    fail_check(console, passed=False, partition=console.host, description="wrong")
    monkeypatch.setenv("OMNI_ALERT_URLS", f"http://127.0.0.1:{find_free_port()}/ {receiver.url}")
    said = watch.tick()
    assert said.startswith("sent to 1 of 2 targets; 1 failing: webhook 127.0.0.1 #")
    assert "did not take the message" in said
    assert len(receiver.received) == 1
    [(failures, error)] = console.query(
        b"SELECT failures, error FROM alert_targets WHERE error IS NOT NULL"
    )
    assert failures == 1
    assert "did not take the message" in str(error)
    assert watch.tick().startswith("sent to 0 of 2 targets; 1 failing: ")


def test_the_sensor_says_that_nobody_is_told(console: Console, watch: Watch) -> None:
    assert watch.tick() == "OMNI_ALERT_URLS is not set: nobody is told"


def test_a_database_that_is_away_is_told_past_it(
    console: Console, watch: Watch, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-A20: the tick goes on, people hear of it once, and once that it is back."""
    url = console.database.url
    monkeypatch.setattr(sensors, "RETRY_SECONDS", 0.1)
    monkeypatch.setenv("OMNI_DATABASE_URL", "postgresql://omni@127.0.0.1:1/omni")
    for _ in range(3):
        assert "away" in watch._tick(sensors.send_alerts)
    monkeypatch.setenv("OMNI_DATABASE_URL", url)
    for _ in range(2):
        watch.tick()
    texts = receiver.texts()
    assert len(texts) == 2
    assert "Nothing is refreshed until it is back" in texts[0]
    assert "can be reached again" in texts[1]


def test_events_that_appear_behind_the_cursor_are_still_seen(console: Console) -> None:
    """Ids are handed out before they are committed."""
    fail_check(console, passed=False, partition=console.host, description="wrong")
    records, cursor = read_events(console.instance, None)
    again, same = read_events(console.instance, cursor)
    assert [r.storage_id for r in again] == [r.storage_id for r in records]
    assert same == cursor


def test_an_instance_without_events_has_no_cursor(console: Console) -> None:
    assert read_events(console.instance, None) == ([], None)


class Trouble:
    """What goes wrong in the real world, and how it is put right again."""

    def __init__(self, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
        self._console = console
        self._monkeypatch = monkeypatch

    def open_breaker(self) -> None:
        with self._console.database.connect() as conn:
            circuit_breakers.open_for(
                conn, "https://api.test", kind="permanent.quota", error="No credit.", seconds=900
            )

    def close_breaker(self) -> None:
        with self._console.database.connect() as conn:
            circuit_breakers.reset(conn, "https://api.test")

    def reach_budget(self) -> None:
        self._monkeypatch.setenv("OMNI_DAILY_TOKEN_BUDGET", "1")
        assert "budget" in str(self._console.refresh(max_pages=3).error)

    def raise_budget(self) -> None:
        self._monkeypatch.delenv("OMNI_DAILY_TOKEN_BUDGET")
        assert self._console.refresh(max_pages=3).error is None

    def break_pages(self) -> None:
        for page in BROKEN_PAGES:
            self._console.site.pages[page] = HTTPStatus.IM_A_TEAPOT
        self._console.refresh()

    def mend_pages(self) -> None:
        for page in BROKEN_PAGES:
            del self._console.site.pages[page]
        assert self._console.refresh(force_rescrape=True).error is None

    def give_up(self) -> None:
        """The worker crashed, was restarted by Dagster, and crashed again."""
        fail_before_it_starts(self._console, "The worker crashed.", retries=1)
        fail_before_it_starts(self._console, "It crashed again.", retries=0)

    def succeed(self) -> None:
        assert self._console.refresh(max_pages=3).error is None


@pytest.fixture
def trouble(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    with EmbeddingServer() as endpoint:
        monkeypatch.setenv("OMNI_EMBEDDING_BASE_URL", endpoint.base_url)
        monkeypatch.setenv("OMNI_EMBEDDING_MODEL", MODEL)
        monkeypatch.setenv("OMNI_EMBEDDING_DIMENSIONS", str(DIMENSIONS))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
        yield Trouble(console, monkeypatch)


@pytest.mark.parametrize(
    ("begin", "end", "title", "words"),
    [
        (Trouble.open_breaker, Trouble.close_breaker, "Embedding endpoint is left", "No credit."),
        (Trouble.reach_budget, Trouble.raise_budget, "Token budget is used up", "budget"),
        (
            Trouble.break_pages,
            Trouble.mend_pages,
            "Many pages failed",
            "pages failed in the newest",
        ),
        (Trouble.give_up, Trouble.succeed, "Refresh failed", "It crashed again."),
    ],
)
def test_each_trouble_is_one_message_and_one_when_it_is_over(
    console: Console,
    watch: Watch,
    receiver: WebhookReceiver,
    trouble: Trouble,
    *,
    begin: Callable[[Trouble], None],
    end: Callable[[Trouble], None],
    title: str,
    words: str,
) -> None:
    """R-C3, R-C6: from what happened to what people read, however often is looked."""
    begin(trouble)
    for _ in range(3):
        watch.tick()
    [told] = receiver.texts()
    assert f"{title}" in told
    assert words in told
    assert told.count("(new)") == 1
    assert len(watch.open()) == 1
    end(trouble)
    assert console.query(PASS_GAP)
    for _ in range(3):
        watch.tick()
    assert len(receiver.received) == 2
    assert "(over)" in receiver.texts()[1]
    assert watch.open() == []
