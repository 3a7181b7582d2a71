"""Who runs each site: one profile per domain."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from omni_pipeline.domain.companies.profile import Company
from omni_pipeline.domain.products.model import Evidence, Source
from omni_pipeline.store.jobs.crawl_jobs import Claim
from omni_pipeline.store.postgres.queries import load_queries

_SQL = load_queries(__name__)


def save(conn: Connection, claim: Claim, company: Company) -> bool:
    """Store the profile of the domain; False when it says what it said before."""
    values = as_json(company)
    parameters = {
        **vars(company),
        "social_links": list(company.social_links),
        "evidence": Jsonb(values["evidence"]),
    }
    return bool(conn.execute(_SQL["save"], {**vars(claim), **parameters}).rowcount)


def find(conn: Connection, domain_id: int) -> Company | None:
    """The profile of a domain; None when nothing was read of it yet."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SQL["find"], {"domain_id": domain_id}).fetchone()
    return None if row is None else from_json(row)


def as_json(company: Company) -> dict[str, Any]:
    """What is known, as JSON keeps it."""
    known = {name: value for name, value in vars(company).items() if value}
    evidence = {name: vars(found) for name, found in company.evidence.items()}
    return known | {"social_links": list(company.social_links), "evidence": evidence}


def from_json(values: dict[str, Any]) -> Company:
    """The profile that ``as_json`` was made from."""
    evidence = {
        name: Evidence(source=Source(found["source"]), confidence=found["confidence"])
        for name, found in values["evidence"].items()
    }
    return Company(**values | {"social_links": tuple(values["social_links"]), "evidence": evidence})
