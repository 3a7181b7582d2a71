"""Answers a question from the published chunks of the active model."""

from functools import partial

from omni_pipeline.errors import PermanentError, SettingsError, TemporaryError
from omni_pipeline.steps.tools import Tools
from omni_pipeline.store import embedding_models, search
from omni_pipeline.store.embedding_models import StoredModel
from omni_pipeline.store.search import Answer
from omni_pipeline.store.session import Session

# How often another model may become active between a question's embedding and its search.
FLIPS = 3


def answer(
    session: Session, tools: Tools, question: str, *, most: int, host: str | None = None
) -> list[Answer]:
    """The chunks nearest to the question, nearest first, all of one model's index.

    The question is embedded by whichever model is active. If another one becomes active before its
    vector is searched for, nothing is found by it, and the question is asked again.

    Args:
        session: Where the index is.
        tools: What leads to the embedding door of the active model.
        question: In plain words.
        most: How many answers.
        host: Only this domain's pages.

    Raises:
        PermanentError: Nothing is indexed yet, or the question is empty.
        SettingsError: The settings do not lead to the active model.
    """
    if not question.strip():
        raise PermanentError(
            "The question is empty: ask something, in quotes.", kind="permanent.question"
        )
    for _ in range(FLIPS):
        active = _find_active(session)
        vector = _of_active(tools, active).embedding.embed([question]).vectors[0]
        look = partial(search.search, vector=vector, most=most, host=host, model_id=active.id)
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


def _of_active(tools: Tools, active: StoredModel) -> Tools:
    try:
        return tools.of(active)
    except SettingsError as error:
        raise SettingsError(f"The index answers from {active.name}. {error}") from error
