"""What a refresh needs, asked before it starts: better now than at page 900."""

from omni_pipeline.steps.services.model_services import ModelServices
from omni_pipeline.steps.services.site_access import WebAccess
from omni_pipeline.store.index import embedding_models
from omni_pipeline.store.jobs.domains import Domain
from omni_pipeline.store.postgres.session import Session


def check_embedding(services: ModelServices, session: Session) -> None:
    """See that the embedding endpoint answers with the expected dimension (R-A16).

    A paid endpoint is asked at most once a day, so that a refresh without changes costs nothing;
    the model inside this process needs no asking.

    Raises:
        PermanentError: Wrong key, model or dimension; the message says what to set.
        TemporaryError: The endpoint does not answer.
    """
    if services.is_local:
        return
    model_id = services.stored_model.id
    if session.run(lambda conn: embedding_models.was_probed_recently(conn, model_id)):
        return
    services.shared_embedding.probe()
    session.run(lambda conn: embedding_models.note_probe(conn, model_id))


def check_browser(access: WebAccess, domain: Domain) -> None:
    """See that a browser starts, for a domain whose every page is rendered (R-A16).

    Where only some pages may need one, those that do fail by themselves.

    Raises:
        PermanentError: There is none, or it does not start; the message says what to do.
    """
    if domain.render_mode == "browser":
        access.browser.check()
