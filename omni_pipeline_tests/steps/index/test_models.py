"""Another embedding model: built beside the old one, then flipped to, then left again (R-C5)."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from omni_pipeline.domain.search.query import SearchQuestion
from omni_pipeline.errors import PermanentError, SettingsError
from omni_pipeline.settings import EmbeddingSettings, Settings
from omni_pipeline.steps.crawl.raw_pages import crawl
from omni_pipeline.steps.index.chunks import stage_chunks
from omni_pipeline.steps.index.embeddings import embed_and_publish
from omni_pipeline.steps.index.model_builds import (
    BuildReport,
    add_model,
    build_index,
    keep_others_current,
)
from omni_pipeline.steps.search.answering import answer
from omni_pipeline.steps.services.model_services import Models
from omni_pipeline.steps.text.cleaned_pages import clean_pages
from omni_pipeline.store.index import embedding_models
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.index.retrieval import SearchResult
from omni_pipeline.store.postgres.session import Session
from omni_pipeline_tests.embedding_server import (
    DIMENSIONS,
    Behaviour,
    EmbeddingServer,
    Exchange,
    vector_of,
)
from omni_pipeline_tests.steps.conftest import Pipeline

PAGE = "/docs/watering.html"
WORDS = ("water", "vinegar")
QUESTION = "How much water does the greenhouse need?"


def by_model(exchange: Exchange) -> None:
    """Two models of equal dimensions: only the name tells their vectors apart."""
    name = str(exchange.call.body["model"])
    exchange.answer([vector_of(f"{name}: {text}") for text in exchange.call.texts], model=name)


def without(name: str) -> Behaviour:
    """The endpoint has lost this model."""

    def behave(exchange: Exchange) -> None:
        if exchange.call.body["model"] == name:
            exchange.fail(404, "no such model", code="model_not_found")
        else:
            by_model(exchange)

    return behave


@dataclass
class Project:
    """A site, an endpoint with any model, and every step as a run takes it, without Dagster."""

    pipeline: Pipeline
    server: EmbeddingServer
    settings: Settings

    @contextmanager
    def models(self) -> Iterator[tuple[Session, Models]]:
        session = Session(self.pipeline.database)
        with ExitStack() as resources:
            resources.callback(session.close)
            yield session, Models(self.settings, session, resources)

    def refresh(self) -> tuple[str, ...]:
        """As the four assets do; returns the notes of the last one."""
        with self.models() as (_, models), self.pipeline.open() as opened:
            services = models.of_index()
            refresh = replace(opened, settings=services.settings)
            with self.pipeline.web() as web:
                crawl(refresh, web, user_agent="test", force_rescrape=True, page_limit=None)
            clean_pages(refresh)
            stage_chunks(refresh, services.stored_model, services.chunker)
            embed_and_publish(refresh, services.stored_model, services)
            return keep_others_current(refresh, models, services.stored_model)

    def add(self, name: str) -> StoredModel:
        with self.models() as (_, models):
            return add_model(models, name, DIMENSIONS)

    def build(self, name: str) -> BuildReport:
        with self.models() as (_, models), self.pipeline.open() as refresh:
            return build_index(refresh, models.of_named(name))

    def change(self, name: str) -> None:
        """All three commands."""
        self.add(name)
        self.build(name)
        self.activate(name)

    def activate(self, name: str) -> None:
        with self.pipeline.database.connect() as conn:
            embedding_models.activate(conn, name)

    def roll_back(self) -> None:
        with self.pipeline.database.connect() as conn:
            embedding_models.roll_back(conn)

    def lacking(self, name: str) -> dict[str, int]:
        with self.pipeline.database.connect() as conn:
            model = embedding_models.get(conn, name)
            return embedding_models.lacking_pages(conn, model.id)

    def ask(self, question: str = QUESTION, *, limit: int = 1000) -> list[SearchResult]:
        with self.models() as (session, services):
            return answer(session, services, SearchQuestion(text=question, limit=limit))

    def paid(self) -> Counter[str]:
        """How many texts each model was asked for since the last look."""
        calls = self.server.calls.copy()
        self.server.calls.clear()
        return Counter(str(call.body["model"]) for call in calls for _ in call.texts)

    def edit(self, old: str, new: str) -> None:
        html = self.pipeline.site.read(PAGE)
        assert old in html
        self.pipeline.site.pages[PAGE] = html.replace(old, new)

    def model_by_chunk(self) -> dict[int, str]:
        rows = self.pipeline.query(
            b"SELECT c.id, m.name FROM chunks c JOIN embedding_models m ON m.id = c.model_id"
        )
        return {int(str(id_)): str(name) for id_, name in rows}

    def models_of(self, answers: list[SearchResult]) -> set[str]:
        by_chunk = self.model_by_chunk()
        return {by_chunk[answer.chunk_id] for answer in answers}


@pytest.fixture
def bare(pipeline: Pipeline) -> Iterator[Project]:
    """Nothing is indexed yet."""
    with EmbeddingServer(otherwise=by_model) as server:
        embedding = EmbeddingSettings(
            base_url=server.base_url, model="first", dimensions=DIMENSIONS, api_key="sk-test-012345"
        )
        settings = replace(pipeline.settings, embedding=embedding, chunk_tokens=120)
        yield Project(pipeline, server, settings)


@pytest.fixture
def project(bare: Project) -> Project:
    """Every page is indexed with `first`."""
    bare.refresh()
    bare.paid()
    return bare


# Add, build, activate


def test_a_model_is_built_beside_and_answers_once_it_is_activated(project: Project) -> None:
    before = project.ask()
    project.add("second")
    report = project.build("second")
    assert report.chunks_embedded > 20
    assert project.lacking("second") == {}
    assert project.models_of(project.ask()) == {"first"}
    project.activate("second")
    after = project.ask()
    assert project.models_of(after) == {"second"}
    assert {(a.url, a.text) for a in after} == {(a.url, a.text) for a in before}
    assert project.pipeline.violations() == []


def test_a_build_crawls_nothing_and_pays_for_each_text_once(project: Project) -> None:
    project.add("second")
    requests = len(project.pipeline.site.requests)
    project.paid()
    first = project.build("second")
    assert len(project.pipeline.site.requests) == requests
    assert project.paid() == {"second": first.chunks_embedded}
    again = project.build("second")
    assert (again.pages_published, again.chunks_embedded) == (0, 0)
    assert project.paid() == {}


def test_a_build_is_a_job_of_the_ledger_and_on_the_bill(project: Project) -> None:
    project.add("second")
    project.build("second")
    [(tokens,)] = project.pipeline.query(
        b"SELECT sum(u.tokens) FROM token_usage u JOIN embedding_models m ON m.id = u.model_id "
        b"WHERE m.name = 'second'"
    )
    [(status, counted)] = project.pipeline.query(
        b"SELECT status, tokens_embedded FROM crawl_jobs ORDER BY id DESC LIMIT 1"
    )
    assert status == "completed"
    assert tokens == counted
    assert int(str(tokens)) > 0


def test_an_incomplete_index_is_not_activated(project: Project) -> None:
    project.add("second")
    pages = len({answer.url for answer in project.ask()})
    with pytest.raises(PermanentError, match=rf"second lacks pages of .* \({pages}\)\."):
        project.activate("second")
    with pytest.raises(PermanentError, match="No index was built"):
        project.activate("third")
    assert project.models_of(project.ask()) == {"first"}


def test_a_model_that_the_endpoint_does_not_have_is_not_registered(project: Project) -> None:
    """R-A16"""
    project.server.otherwise = without("second")
    with pytest.raises(PermanentError, match="OMNI_EMBEDDING_MODEL"):
        project.add("second")
    with project.pipeline.database.connect() as conn:
        assert [m.name for m in embedding_models.overview(conn)] == ["first"]


def test_a_model_of_unknown_dimensions_is_refused_with_the_flag_to_give(project: Project) -> None:
    with (
        project.models() as (_, models),
        pytest.raises(SettingsError, match=r"omni models add` takes --dimensions"),
    ):
        add_model(models, "second", None)


def test_dimensions_are_never_mixed(project: Project) -> None:
    """R-A14: a vector of another length is refused by the table itself."""
    with (
        project.pipeline.database.connect() as conn,
        pytest.raises(Exception, match="has_declared"),
    ):
        conn.execute(
            b"UPDATE embeddings SET embedding = %s::halfvec",
            (str(np.ones(3).tolist()),),
        )


# Refreshes while there are several models


def test_a_refresh_keeps_the_index_that_is_being_built_complete(project: Project) -> None:
    project.add("second")
    project.build("second")
    project.edit(*WORDS)
    project.paid()
    assert project.refresh() == ()
    paid = project.paid()
    assert paid["first"] == paid["second"] > 0
    project.activate("second")
    assert any("vinegar" in answer.text for answer in project.ask())


def test_a_refresh_keeps_the_previous_index_current_so_that_a_rollback_loses_nothing(
    project: Project,
) -> None:
    project.change("second")
    project.edit(*WORDS)
    project.refresh()
    after = {(answer.url, answer.text) for answer in project.ask()}
    project.roll_back()
    answers = project.ask()
    assert project.models_of(answers) == {"first"}
    assert {(answer.url, answer.text) for answer in answers} == after
    assert any("vinegar" in answer.text for answer in answers)


def test_an_unchanged_site_costs_nothing_however_many_models_are_kept(project: Project) -> None:
    project.change("second")
    project.paid()
    assert project.refresh() == ()
    assert project.paid() == {}


def test_a_dropped_model_is_paid_for_no_more(project: Project) -> None:
    project.change("second")
    with project.pipeline.database.connect() as conn:
        model = embedding_models.mark_dropped(conn, "first")
        embedding_models.remove_index(conn, model.id)
    project.edit(*WORDS)
    project.paid()
    project.refresh()
    assert set(project.paid()) == {"second"}
    assert project.pipeline.violations() == []


def test_a_model_that_fails_beside_does_not_fail_the_refresh_and_is_caught_up_by_a_build(
    project: Project,
) -> None:
    """A rollback is refused until then, with the reason and the remedy."""
    project.change("second")
    project.edit(*WORDS)
    project.server.otherwise = without("first")
    [note] = project.refresh()
    assert "The index of first (previous) is behind" in note
    assert "omni models build first" in note
    assert any("vinegar" in answer.text for answer in project.ask())
    with pytest.raises(
        PermanentError, match=r"first lacks pages of .* \(1\)\. Run `omni models build first`"
    ):
        project.roll_back()
    project.server.otherwise = by_model
    project.build("first")
    project.roll_back()
    assert project.models_of(project.ask()) == {"first"}


def test_a_run_that_is_overtaken_by_a_flip_builds_what_it_changed_for_the_new_model_too(
    project: Project,
) -> None:
    project.add("second")
    project.build("second")
    project.edit(*WORDS)
    with project.models() as (_, models), project.pipeline.open() as refresh:
        services = models.of_index()
        with project.pipeline.web() as web:
            crawl(refresh, web, user_agent="test", force_rescrape=True, page_limit=None)
        clean_pages(refresh)
        project.activate("second")
        stage_chunks(refresh, services.stored_model, services.chunker)
        embed_and_publish(refresh, services.stored_model, services)
        assert keep_others_current(refresh, models, services.stored_model) == ()
    answers = project.ask()
    assert project.models_of(answers) == {"second"}
    assert any("vinegar" in answer.text for answer in answers)


def test_a_page_that_one_model_refuses_stays_in_the_index_of_the_other(project: Project) -> None:
    """Activation names the loss, and takes place if it is accepted."""

    def picky(exchange: Exchange) -> None:
        is_second = exchange.call.body["model"] == "second"
        if is_second and any("water" in text.lower() for text in exchange.call.texts):
            exchange.fail(400, "input is too long")
        else:
            by_model(exchange)

    project.server.otherwise = picky
    project.add("second")
    report = project.build("second")
    assert report.pages_failed > 0
    with pytest.raises(PermanentError, match="omni failed"):
        project.activate("second")
    with project.pipeline.database.connect() as conn:
        embedding_models.activate(conn, "second", accept_losses=True)
    assert project.models_of(project.ask("frost")) == {"second"}


# Which endpoint is asked


def test_search_and_refresh_follow_the_active_model_whatever_the_settings_name(
    project: Project,
) -> None:
    """No downtime: the flip needs no new environment."""
    project.change("second")
    project.edit(*WORDS)
    project.refresh()
    with project.models() as (_, models):
        note = models.note_on(models.of_index().model)
    assert note is not None
    assert "OMNI_EMBEDDING_MODEL names first, but search answers from second" in note
    [best, *_] = project.ask(project.ask()[0].text)
    assert (best.distance or 0.0) < 1e-3


def test_a_model_is_not_looked_for_at_another_endpoint(project: Project) -> None:
    """Many servers answer under any name, with vectors of the one model they have."""
    project.change("second")
    with EmbeddingServer(otherwise=by_model) as elsewhere:
        embedding = replace(project.settings.embedding, base_url=elsewhere.base_url)
        project.settings = replace(project.settings, embedding=embedding)
        with pytest.raises(SettingsError, match=r"answers from second\. .*set OMNI_EMBEDDING_MOD"):
            project.ask()
        assert elsewhere.calls == []
        named = replace(embedding, model="second")
        project.settings = replace(project.settings, embedding=named)
        assert project.ask()


def test_a_change_from_the_model_in_this_process_to_an_endpoint_has_no_gap(bare: Project) -> None:
    """The commonest one: a key comes after the first trial."""
    remote = bare.settings
    bare.settings = replace(remote, embedding=EmbeddingSettings(model="lexical-hash-384"))
    bare.refresh()
    bare.settings = remote
    assert bare.models_of(bare.ask()) == {"lexical-hash-384"}
    bare.edit(*WORDS)
    assert bare.refresh() == ()
    assert bare.paid() == {}
    bare.change("first")
    bare.edit("vinegar", "lemonade")
    bare.refresh()
    assert bare.models_of(bare.ask()) == {"first"}
    bare.roll_back()
    assert bare.models_of(bare.ask()) == {"lexical-hash-384"}
    prices = bare.pipeline.query(
        b"SELECT DISTINCT m.name, u.price_per_million FROM token_usage u "
        b"JOIN embedding_models m ON m.id = u.model_id ORDER BY m.name"
    )
    assert prices == [("first", None), ("lexical-hash-384", 0)]


def test_a_question_embedded_before_a_flip_and_searched_after_it_is_asked_again(
    project: Project,
) -> None:
    """Vectors of two models of equal dimensions can be compared; it only means nothing."""
    project.add("second")
    project.build("second")
    [known, *_] = project.ask()

    def flip_first(exchange: Exchange) -> None:
        project.server.otherwise = by_model
        project.activate("second")
        by_model(exchange)

    project.server.otherwise = flip_first
    project.paid()
    [best, *_] = project.ask(known.text)
    assert project.paid() == {"first": 1, "second": 1}
    assert project.models_of([best]) == {"second"}
    assert (best.text, (best.distance or 0.0) < 1e-3) == (known.text, True)


# Under a hammering reader


@dataclass
class Hammer:
    """Asks without pause, each time for all that there is."""

    project: Project
    answers: list[list[SearchResult]] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def swing(self) -> None:
        with self.project.models() as (session, services):
            while not self.is_over.is_set():
                asked = SearchQuestion(text=QUESTION, limit=1000)
                self.answers.append(answer(session, services, asked))

    def wait_for(self, more: int) -> None:
        wanted = len(self.answers) + more
        while len(self.answers) < wanted:
            threading.Event().wait(0.005)


@contextmanager
def hammering(project: Project) -> Iterator[Hammer]:
    hammer = Hammer(project)
    with ThreadPoolExecutor(1) as pool:
        swings = pool.submit(hammer.swing)
        try:
            yield hammer
        finally:
            hammer.is_over.set()
        swings.result()


def test_a_reader_meets_whole_answers_of_one_model_through_build_flip_rollback_and_drop(
    project: Project,
) -> None:
    """R-C5: never empty, never mixed, never a chunk too few."""
    expected = {(a.url, a.text) for a in project.ask()}
    with hammering(project) as hammer:
        project.add("second")
        project.build("second")
        by_chunk = project.model_by_chunk()
        project.activate("second")
        hammer.wait_for(5)
        for _ in range(20):
            project.roll_back()
            hammer.wait_for(2)
        with project.pipeline.database.connect() as conn:
            [other] = embedding_models.kept_beside(conn, _active(project).id)
            embedding_models.mark_dropped(conn, other.name)
            embedding_models.remove_index(conn, other.id)
        hammer.wait_for(5)
    seen: Counter[str] = Counter()
    for answers in hammer.answers:
        assert {(a.url, a.text) for a in answers} == expected
        [name] = {by_chunk[a.chunk_id] for a in answers}
        seen[name] += 1
    assert min(seen["first"], seen["second"]) > 10


def test_a_reader_meets_every_page_whole_while_the_chunker_changes(project: Project) -> None:
    """R-C5: page by page, as with any other change."""
    urls = {a.url for a in project.ask()}
    project.settings = replace(project.settings, chunk_tokens=60)
    wholes: dict[str, set[frozenset[str]]] = {url: set() for url in urls}
    with hammering(project) as hammer:
        hammer.wait_for(2)
        project.refresh()
        hammer.wait_for(2)
    for answers in hammer.answers:
        texts: dict[str, set[str]] = {url: set() for url in urls}
        for found in answers:
            texts[found.url].add(found.text)
        for url, whole in texts.items():
            wholes[url].add(frozenset(whole))
    assert all(1 <= len(versions) <= 2 for versions in wholes.values())
    assert any(len(versions) == 2 for versions in wholes.values())


def _active(project: Project) -> StoredModel:
    with project.pipeline.database.connect() as conn:
        active = embedding_models.find_active(conn)
    assert active is not None
    return active
