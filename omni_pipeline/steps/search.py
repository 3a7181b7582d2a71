"""Answers a question from the published chunks of the active model."""

from omni_pipeline.errors import PermanentError, SettingsError
from omni_pipeline.steps.tools import Tools
from omni_pipeline.store import embedding_models, search
from omni_pipeline.store.search import Answer
from omni_pipeline.store.session import Session


def answer(
    session: Session, tools: Tools, question: str, *, most: int, host: str | None = None
) -> list[Answer]:
    """The chunks nearest to the question, nearest first.

    Args:
        session: Where the index is.
        tools: The embedding door; it must be that of the active model.
        question: In plain words.
        most: How many answers.
        host: Only this domain's pages.

    Raises:
        PermanentError: Nothing is indexed yet, or the question is empty.
        SettingsError: The settings name another model than the index was built with.
    """
    if not question.strip():
        raise PermanentError(
            "The question is empty: ask something, in quotes.", kind="permanent.question"
        )
    active = session.run(embedding_models.find_active)
    if active is None:
        raise PermanentError(
            "Nothing is indexed yet: run `omni refresh URL` first.", kind="permanent.empty_index"
        )
    if (active.name, active.dimensions) != (tools.model.name, tools.model.dimensions):
        raise SettingsError(
            f"The index answers from {active.name} ({active.dimensions} dimensions), but the "
            f"settings name {tools.model.name} ({tools.model.dimensions}): vectors of two models "
            f"cannot be compared. Set OMNI_EMBEDDING_MODEL={active.name} and its endpoint, or "
            f"refresh every domain and run `omni models activate {tools.model.name}`."
        )
    vector = tools.embedding.embed([question]).vectors[0]
    return session.run(lambda conn: search.search(conn, vector, most=most, host=host))
