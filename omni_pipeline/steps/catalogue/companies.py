"""Joins what a domain's pages say about who runs it into one profile."""

from dataclasses import dataclass

from omni_pipeline.domain.companies.profile import Company, merge_companies
from omni_pipeline.steps.run.claimed_refresh import Refresh
from omni_pipeline.store.catalogue import companies, extracted_pages

BATCH_PAGES = 500


@dataclass(frozen=True, kw_only=True)
class CompaniesReport:
    """The profile, as far as anything is known, and what it rests on."""

    company_pages: int
    company_fields: int
    company_changed: bool


def join_profiles(refresh: Refresh) -> CompaniesReport:
    """Merge the pages' profiles, streamed; for each field, the page of most confidence speaks."""
    company = Company()
    pages = after_id = 0
    with refresh.stage("companies"):
        while batch := refresh.read(
            extracted_pages.companies, after_id=after_id, limit=BATCH_PAGES
        ):
            profiles = [companies.from_json(page.company) for page in batch]
            company = merge_companies([company, *profiles])
            pages += len(batch)
            after_id = batch[-1].page_id
        is_changed = bool(pages) and refresh.write(companies.save, company)
    return CompaniesReport(
        company_pages=pages, company_fields=len(company.evidence), company_changed=is_changed
    )
