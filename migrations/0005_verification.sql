-- What `omni verify` remembers, so that it looks again only at domains that were written to; and what the job
-- ledger needs to tell a removal that a person confirmed from one that nobody saw.

-- Domains that kept every invariant when they were last looked at, and at which point that was. Unlogged, so that after
-- a crash of the server all of them are looked at again.
CREATE UNLOGGED TABLE verifications (
    domain_id bigint PRIMARY KEY REFERENCES domains (id) ON DELETE CASCADE,
    -- Every refresh raises its domain's fence: with another one the domain may have changed.
    fence bigint NOT NULL,
    -- The invariants, the active model and the server that it was found whole by.
    basis text NOT NULL,
    -- Rows of earlier transactions were seen.
    since xid8 NOT NULL,
    verified_at timestamptz NOT NULL DEFAULT now()
);

-- Of the removals held back before, how many a person had confirmed when this job let them go.
ALTER TABLE crawl_jobs ADD COLUMN pages_confirmed integer NOT NULL DEFAULT 0 CHECK (pages_confirmed >= 0);

-- A domain's resolved failures are looked through when it is checked, and found when it is removed.
CREATE INDEX failed_pages_by_domain ON failed_pages (domain_id, last_failed_at);
