"""Answers a question from the published chunks of the active model."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.search.query import EVERYWHERE, Mode, Scope, SearchQuestion
from omni_pipeline.errors import PermanentError, SettingsError, TemporaryError
from omni_pipeline.settings import Settings, read_settings
from omni_pipeline.steps.services.model_services import Models, ModelServices
from omni_pipeline.store.index import embedding_models, retrieval
from omni_pipeline.store.index.embedding_models import StoredModel
from omni_pipeline.store.index.retrieval import SearchResult
from omni_pipeline.store.postgres.session import Session, open_session

# How often another model may become active between a question's embedding and its search.
FLIPS = 3

# One page's second best chunk often says the rest; more of it would push other pages out.
ANSWERS_PER_PAGE = 2


@dataclass(frozen=True, kw_only=True)
class SearchIndex:
    """The index, open for questions; made by ``open_search``."""

    session: Session
    models: Models

    def ask(
        self,
        text: str,
        *,
        limit: int = 10,
        scope: Scope = EVERYWHERE,
        mode: Mode = "hybrid",
        per_page: int | None = ANSWERS_PER_PAGE,
    ) -> list[SearchResult]:
        """The best answers, best first; see ``answer``."""
        question = SearchQuestion(text=text, limit=limit, scope=scope, mode=mode, per_page=per_page)
        return answer(self.session, self.models, question)


@contextmanager
def open_search(settings: Settings | None = None) -> Iterator[SearchIndex]:
    """Open the index for questions from Python.

    The model is loaded, or its endpoint asked, with the first question, so keep it open::

        with open_search() as index:
            for found in index.ask("How do I reset my password?", scope=Scope(language="en")):
                print(found.title, found.link, found.snippet("reset password"))

    Args:
        settings: Where the index and the embedding endpoint are; by default the environment says.
    """
    settings = settings or read_settings()
    with ExitStack() as resources:
        session = resources.enter_context(open_session(settings, "omni search"))
        yield SearchIndex(session=session, models=Models(settings, session, resources))


def answer(session: Session, models: Models, question: SearchQuestion) -> list[SearchResult]:
    """The chunks that answer best, best first, all of one model's index.

    The question is embedded by whichever model is active. If another one becomes active before its
    vector is searched for, nothing is found by it, and the question is asked again.

    Args:
        session: Where the index is.
        models: What leads to the embedding client of the active model.
        question: What is asked.

    Raises:
        PermanentError: Nothing is indexed yet, or the question is empty.
        SettingsError: The settings do not lead to the active model.
    """
    if not question.text.strip():
        raise PermanentError(
            "The question is empty: ask something, in quotes.", kind="permanent.question"
        )
    # What Postgres could not store is in none of its texts.
    words = None if question.mode == "vector" else storable(question.text)
    for _ in range(FLIPS):
        active = _find_active(session)
        vector = None
        if question.mode != "text":
            vector = _of_active(models, active).embedding.embed([question.text]).vectors[0]
        look = partial(
            retrieval.search,
            vector=vector,
            question=words,
            limit=question.limit,
            scope=question.scope,
            per_page=question.per_page,
            model_id=active.id,
        )
        answers = session.run(look)
        if answers or _find_active(session).id == active.id:
            return answers
    raise TemporaryError(
        f"Another embedding model became active {FLIPS} times while this was asked: ask again.",
        kind="transient.model_flips",
    )


def _find_active(session: Session) -> StoredModel:
    active = session.run(embedding_models.find_active)
    if active is None:
        raise PermanentError(
            "Nothing is indexed yet: run `omni refresh URL` first.", kind="permanent.empty_index"
        )
    return active


def _of_active(models: Models, active: StoredModel) -> ModelServices:
    try:
        return models.of(active)
    except SettingsError as error:
        raise SettingsError(f"The index answers from {active.name}. {error}") from error
