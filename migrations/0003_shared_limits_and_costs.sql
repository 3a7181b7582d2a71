-- What all runs share about an embedding endpoint, what its answers cost, and how much a day may cost.

-- When an endpoint and model may be asked next, for all processes together. Each limit is a moment that every
-- request moves on by its share of a minute (GCRA): one row and one UPDATE, whatever the load.
CREATE TABLE rate_limits (
    endpoint text NOT NULL,
    model text NOT NULL,
    requests_until timestamptz NOT NULL DEFAULT '-infinity',
    tokens_until timestamptz NOT NULL DEFAULT '-infinity',
    -- The endpoint asked to be left alone until then (Retry-After).
    paused_until timestamptz NOT NULL DEFAULT '-infinity',
    -- Between two requests, as learned from refusals: grows with each, shrinks with each request let in.
    spacing_seconds double precision NOT NULL DEFAULT 0 CHECK (spacing_seconds >= 0),
    PRIMARY KEY (endpoint, model)
) WITH (fillfactor = 50);

-- Whether an endpoint is worth asking, for all processes together. An open breaker lets one probe through once
-- `opened_until` has passed: the probe moves that moment on, so that there is one.
CREATE TABLE provider_breakers (
    endpoint text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    opened_at timestamptz,
    opened_until timestamptz,
    error_kind text NOT NULL,
    error text NOT NULL,
    CONSTRAINT open_has_an_end CHECK (state = 'closed' OR (opened_at IS NOT NULL AND opened_until IS NOT NULL))
);

ALTER TABLE domains ADD COLUMN daily_token_budget bigint CHECK (daily_token_budget > 0);

-- Tokens of published chunks that had a vector already.
ALTER TABLE crawl_jobs ADD COLUMN tokens_reused bigint NOT NULL DEFAULT 0;

-- A batch has an identity, so that a repeated transaction books it once, and is booked before it is sent: what a
-- killed run may have paid for counts, with `settled_at` null, as it was estimated.
-- The price is that of the day, in US dollars; null is unknown.
ALTER TABLE embedding_usage
    ADD COLUMN batch_id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    ADD COLUMN settled_at timestamptz DEFAULT now(),
    ADD COLUMN tokens_reused bigint NOT NULL DEFAULT 0 CHECK (tokens_reused >= 0),
    ADD COLUMN price_per_million numeric(12, 6) CHECK (price_per_million >= 0),
    ADD COLUMN cost_usd numeric GENERATED ALWAYS AS (tokens * price_per_million / 1000000) STORED,
    ADD COLUMN saved_usd numeric GENERATED ALWAYS AS (tokens_reused * price_per_million / 1000000) STORED;
ALTER TABLE embedding_usage ALTER COLUMN batch_id DROP DEFAULT, ALTER COLUMN settled_at DROP DEFAULT;
CREATE INDEX embedding_usage_by_day ON embedding_usage (used_at);
