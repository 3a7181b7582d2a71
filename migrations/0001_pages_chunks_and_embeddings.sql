-- The store of the content lineage: raw_pages, cleaned_pages, chunks, embeddings, and who may write them.
--
-- Two rules shape it. Readers meet published rows only: `chunks` and `embeddings` hold what search may
-- answer, work in progress lives in the `staged_` tables. And a page is published whole: a deferred check
-- refuses every commit after which a page's chunks, embeddings and declared count disagree.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE organizations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO organizations (name) VALUES ('default');

-- One web site that an organization registered; host is the Dagster partition key.
CREATE TABLE domains (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES organizations (id),
    host text NOT NULL UNIQUE CHECK (octet_length(host) <= 263 AND host ~ '^[a-z0-9.:\[\]-]+$'),
    start_url text NOT NULL CHECK (start_url ~ '^https?://'),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused')),
    use_sitemap boolean NOT NULL DEFAULT true,
    page_limit integer CHECK (page_limit > 0),
    render_mode text NOT NULL DEFAULT 'auto' CHECK (render_mode IN ('http', 'browser', 'auto')),
    delay_seconds double precision NOT NULL DEFAULT 0.5 CHECK (delay_seconds BETWEEN 0 AND 300),
    include_patterns text[] NOT NULL DEFAULT '{}',
    exclude_patterns text[] NOT NULL DEFAULT '{}',
    -- The last fencing token handed out. It only grows; a writer whose token differs writes nothing.
    fence bigint NOT NULL DEFAULT 0 CHECK (fence >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_success_at timestamptz
);
CREATE INDEX domains_by_organization ON domains (organization_id);

-- The ledger of refreshes. Rows outlive their domain: host says whose they were.
CREATE TABLE crawl_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id bigint REFERENCES domains (id) ON DELETE SET NULL,
    host text NOT NULL,
    job_type text NOT NULL DEFAULT 'full' CHECK (job_type IN ('full', 'category', 'product', 'distributor')),
    status text NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    ended_by text CHECK (ended_by IN ('worker', 'reaper', 'removal')),
    fence bigint NOT NULL,
    run_id text,
    worker text,
    target_url text NOT NULL,
    force_rescrape boolean NOT NULL DEFAULT false,
    force_reembed boolean NOT NULL DEFAULT false,
    page_limit integer CHECK (page_limit > 0),
    scheduled_for timestamptz,
    stage text,
    is_truncated boolean NOT NULL DEFAULT false,
    pages_discovered integer NOT NULL DEFAULT 0,
    pages_changed integer NOT NULL DEFAULT 0,
    pages_unchanged integer NOT NULL DEFAULT 0,
    pages_gone integer NOT NULL DEFAULT 0,
    pages_failed integer NOT NULL DEFAULT 0,
    pages_skipped integer NOT NULL DEFAULT 0,
    pages_cleaned integer NOT NULL DEFAULT 0,
    pages_published integer NOT NULL DEFAULT 0,
    chunks_staged integer NOT NULL DEFAULT 0,
    chunks_embedded integer NOT NULL DEFAULT 0,
    chunks_reused integer NOT NULL DEFAULT 0,
    tokens_embedded bigint NOT NULL DEFAULT 0,
    error_kind text,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    heartbeat_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT running_beats CHECK (
        status <> 'running'
        OR (domain_id IS NOT NULL AND started_at IS NOT NULL AND heartbeat_at IS NOT NULL AND finished_at IS NULL)),
    CONSTRAINT ended_has_time CHECK (
        status NOT IN ('completed', 'failed') OR (finished_at IS NOT NULL AND ended_by IS NOT NULL)),
    CONSTRAINT failed_says_why CHECK (status <> 'failed' OR (error IS NOT NULL AND error_kind IS NOT NULL)),
    CONSTRAINT times_in_order CHECK (finished_at >= started_at AND heartbeat_at >= started_at)
);
CREATE UNIQUE INDEX one_running_job_per_domain ON crawl_jobs (domain_id) WHERE status = 'running';
CREATE UNIQUE INDEX one_job_per_tick ON crawl_jobs (domain_id, scheduled_for) WHERE scheduled_for IS NOT NULL;
CREATE UNIQUE INDEX one_job_per_fence ON crawl_jobs (domain_id, fence);
CREATE INDEX crawl_jobs_by_run ON crawl_jobs (run_id);

-- The URLs of a domain's crawl in progress, kept so that a killed crawl resumes. Emptied when it ends.
CREATE TABLE crawl_frontier (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    url text NOT NULL CHECK (octet_length(url) <= 2048),
    source text NOT NULL CHECK (source IN ('start', 'known', 'sitemap', 'link', 'redirect')),
    depth integer NOT NULL DEFAULT 0,
    is_forced boolean NOT NULL DEFAULT false,
    outcome text CHECK (outcome IN ('changed', 'unchanged', 'missing', 'gone', 'failed', 'skipped')),
    added_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain_id, url)
);
CREATE INDEX crawl_frontier_queued ON crawl_frontier (domain_id, id) WHERE outcome IS NULL;

-- Pages as fetched, one row per canonical URL. The validators describe the stored body, never a later one.
CREATE TABLE raw_pages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    url text NOT NULL CHECK (octet_length(url) <= 2048),
    status text NOT NULL CHECK (status IN ('live', 'gone')),
    http_status integer NOT NULL,
    etag text,
    last_modified text,
    content_type text,
    charset text,
    html text,
    body_hash bytea CHECK (octet_length(body_hash) = 32),
    fence bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    checked_at timestamptz NOT NULL,
    gone_at timestamptz,
    CONSTRAINT live_has_body CHECK (status <> 'live' OR (html IS NOT NULL AND body_hash IS NOT NULL AND http_status = 200)),
    CONSTRAINT gone_has_evidence CHECK (status <> 'gone' OR (http_status IN (301, 308, 404, 410) AND gone_at IS NOT NULL)),
    UNIQUE (domain_id, url)
) WITH (fillfactor = 80);

-- Each page's text as markdown, and the body it was made from.
CREATE TABLE cleaned_pages (
    page_id bigint PRIMARY KEY REFERENCES raw_pages (id) ON DELETE CASCADE,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    cleaner_version integer NOT NULL,
    title text NOT NULL,
    description text,
    language text,
    canonical_url text,
    markdown text NOT NULL,
    fence bigint NOT NULL,
    cleaned_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX cleaned_pages_by_domain ON cleaned_pages (domain_id);

-- Embedding models. Search answers from the active one; others are being built or kept for a rollback.
CREATE TABLE embedding_models (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    dimensions smallint NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
    is_lexical boolean NOT NULL DEFAULT false,
    status text NOT NULL CHECK (status IN ('building', 'active', 'retired')),
    created_at timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    -- When its endpoint last answered a pre-flight question with the right dimension.
    probed_at timestamptz,
    UNIQUE (name, dimensions),
    UNIQUE (id, dimensions)
);
CREATE UNIQUE INDEX one_active_model ON embedding_models ((true)) WHERE status = 'active';

-- What a page's published chunks were made from (live), and what will replace them (staged).
CREATE TABLE page_revisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    page_id bigint NOT NULL REFERENCES raw_pages (id) ON DELETE CASCADE,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    model_id smallint NOT NULL REFERENCES embedding_models (id),
    state text NOT NULL CHECK (state IN ('staged', 'live')),
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    chunker text NOT NULL,
    chunk_count integer NOT NULL CHECK (chunk_count >= 0),
    title text NOT NULL,
    language text,
    is_reembed boolean NOT NULL DEFAULT false,
    fence bigint NOT NULL,
    staged_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    CONSTRAINT live_is_published CHECK ((state = 'live') = (published_at IS NOT NULL)),
    UNIQUE (page_id, model_id, state)
);
CREATE INDEX page_revisions_by_domain ON page_revisions (domain_id, model_id, state, id);

-- Without a foreign key, whose check per row cost as much as the whole COPY; the trigger below it keeps
-- the two tables together a statement at a time.
CREATE TABLE staged_chunks (
    revision_id bigint NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    text text NOT NULL CHECK (text <> ''),
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    heading_path text[] NOT NULL,
    start_offset integer NOT NULL CHECK (start_offset >= 0),
    token_count integer NOT NULL CHECK (token_count > 0),
    PRIMARY KEY (revision_id, position)
);

CREATE FUNCTION remove_staged_chunks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM staged_chunks sc USING removed r WHERE r.state = 'staged' AND sc.revision_id = r.id;
    RETURN NULL;
END $$;
CREATE TRIGGER remove_staged_chunks AFTER DELETE ON page_revisions
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION remove_staged_chunks();

-- The published chunks. heading_path runs from the page's first heading to the nearest; start_offset counts
-- characters of the cleaned page's markdown.
CREATE TABLE chunks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    page_id bigint NOT NULL REFERENCES raw_pages (id) ON DELETE CASCADE,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    model_id smallint NOT NULL REFERENCES embedding_models (id),
    position integer NOT NULL CHECK (position >= 0),
    text text NOT NULL CHECK (text <> ''),
    text_hash bytea NOT NULL CHECK (text_hash = sha256(convert_to(text, 'UTF8'))),
    heading_path text[] NOT NULL,
    start_offset integer NOT NULL CHECK (start_offset >= 0),
    token_count integer NOT NULL CHECK (token_count > 0),
    -- Without a revision column, so that a swap which forgot the page's lock fails here instead of doubling it.
    UNIQUE (page_id, model_id, position) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX chunks_by_domain ON chunks (domain_id, model_id);

-- One vector per published chunk. PLAIN storage keeps a vector in its row: an exact scan need not fetch it
-- from the TOAST table.
CREATE TABLE embeddings (
    chunk_id bigint PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
    domain_id bigint NOT NULL,
    model_id smallint NOT NULL,
    dimensions smallint NOT NULL,
    text_hash bytea NOT NULL,
    embedding halfvec NOT NULL,
    FOREIGN KEY (model_id, dimensions) REFERENCES embedding_models (id, dimensions),
    CONSTRAINT has_declared_dimensions CHECK (vector_dims(embedding) = dimensions),
    -- pgvector refuses NaN and infinity itself, but takes the zero vector, whose cosine distance is NaN.
    CONSTRAINT is_not_zero CHECK (l2_norm(embedding) > 0)
);
ALTER TABLE embeddings ALTER COLUMN embedding SET STORAGE PLAIN;
CREATE INDEX embeddings_by_domain ON embeddings (model_id, domain_id);
CREATE INDEX embeddings_by_text ON embeddings (model_id, text_hash);

-- Vectors that are paid for and not yet published: a kill between the two loses nothing.
CREATE TABLE staged_embeddings (
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    model_id smallint NOT NULL,
    dimensions smallint NOT NULL,
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    embedding halfvec NOT NULL,
    staged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain_id, model_id, text_hash),
    FOREIGN KEY (model_id, dimensions) REFERENCES embedding_models (id, dimensions),
    CONSTRAINT has_declared_dimensions CHECK (vector_dims(embedding) = dimensions),
    CONSTRAINT is_not_zero CHECK (l2_norm(embedding) > 0)
);
ALTER TABLE staged_embeddings ALTER COLUMN embedding SET STORAGE PLAIN;

-- What was paid to the embedding endpoint, request batch by request batch. Rows outlive domain and job.
CREATE TABLE embedding_usage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id bigint REFERENCES domains (id) ON DELETE SET NULL,
    host text NOT NULL,
    job_id bigint REFERENCES crawl_jobs (id) ON DELETE SET NULL,
    model_id smallint NOT NULL REFERENCES embedding_models (id),
    requests integer NOT NULL CHECK (requests >= 0),
    texts integer NOT NULL CHECK (texts >= 0),
    tokens bigint NOT NULL CHECK (tokens >= 0),
    used_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX embedding_usage_by_domain ON embedding_usage (domain_id, used_at);

-- What failed and when it is tried again; one open row per page and stage.
CREATE TABLE failed_pages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    job_id bigint REFERENCES crawl_jobs (id) ON DELETE SET NULL,
    url text NOT NULL CHECK (octet_length(url) <= 2048),
    stage text NOT NULL CHECK (stage IN ('fetch', 'clean', 'chunk', 'embed')),
    error_kind text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL DEFAULT 1 CHECK (attempts > 0),
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    last_failed_at timestamptz NOT NULL DEFAULT now(),
    next_try_at timestamptz,
    resolved_at timestamptz,
    CONSTRAINT is_tried_again_or_permanent CHECK (
        resolved_at IS NOT NULL OR next_try_at IS NOT NULL OR error_kind LIKE 'permanent.%')
);
CREATE UNIQUE INDEX one_open_failure ON failed_pages (domain_id, url, stage) WHERE resolved_at IS NULL;
CREATE INDEX failed_pages_by_job ON failed_pages (job_id);

-- Pages touched by the current transaction, to be checked once each when it commits. Its rows never
-- survive their transaction, so it need not be logged; the transaction's id keeps writers apart.
CREATE UNLOGGED TABLE publication_checks (
    page_id bigint NOT NULL,
    model_id smallint NOT NULL,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (transaction_id, page_id, model_id)
);

CREATE FUNCTION note_touched_pages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publication_checks (page_id, model_id)
    SELECT DISTINCT page_id, model_id FROM touched
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION note_touched_revisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publication_checks (page_id, model_id)
    SELECT DISTINCT page_id, model_id FROM touched WHERE state = 'live'
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION note_touched_vectors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A vector that went with its chunk finds no chunk here; the chunk's own trigger notes that page.
    INSERT INTO publication_checks (page_id, model_id)
    SELECT DISTINCT c.page_id, c.model_id FROM touched t JOIN chunks c ON c.id = t.chunk_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER note_insert AFTER INSERT ON chunks
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_pages();
CREATE TRIGGER note_update AFTER UPDATE ON chunks
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_pages();
CREATE TRIGGER note_update_from AFTER UPDATE ON chunks
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_pages();
CREATE TRIGGER note_delete AFTER DELETE ON chunks
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_pages();
CREATE TRIGGER note_insert AFTER INSERT ON page_revisions
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_revisions();
CREATE TRIGGER note_update AFTER UPDATE ON page_revisions
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_revisions();
CREATE TRIGGER note_update_from AFTER UPDATE ON page_revisions
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_revisions();
CREATE TRIGGER note_delete AFTER DELETE ON page_revisions
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_revisions();
CREATE TRIGGER note_insert AFTER INSERT ON embeddings
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_vectors();
CREATE TRIGGER note_update AFTER UPDATE ON embeddings
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_vectors();
CREATE TRIGGER note_update_from AFTER UPDATE ON embeddings
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_vectors();
CREATE TRIGGER note_delete AFTER DELETE ON embeddings
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_touched_vectors();

-- Runs when a transaction commits. The first row takes all of the transaction's pages in one query, the
-- other rows find nothing left to do: a batch of pages costs one check.
CREATE FUNCTION check_publications() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    WITH taken AS (
        DELETE FROM publication_checks WHERE transaction_id = pg_current_xact_id() RETURNING page_id, model_id
    )
    SELECT t.page_id, coalesce(r.chunk_count, 0) AS declared, found.* INTO wrong
    FROM taken t
    LEFT JOIN page_revisions r ON r.page_id = t.page_id AND r.model_id = t.model_id AND r.state = 'live'
    CROSS JOIN LATERAL (
        -- Joined on the primary key alone: with the other columns in the join condition the planner was seen
        -- to scan the whole domain's vectors for each page.
        SELECT count(*) AS chunks, coalesce(max(c.position) + 1, 0) AS positions,
            count(*) FILTER (WHERE e.text_hash = c.text_hash AND e.model_id = c.model_id
                AND e.domain_id = c.domain_id) AS embeddings
        FROM chunks c
        LEFT JOIN embeddings e ON e.chunk_id = c.id
        WHERE c.page_id = t.page_id AND c.model_id = t.model_id
    ) found
    WHERE found.chunks <> coalesce(r.chunk_count, 0)
        OR found.positions <> found.chunks
        OR found.embeddings <> found.chunks
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'page % declares % chunks but has % chunks, % positions and % matching embeddings',
            wrong.page_id, wrong.declared, wrong.chunks, wrong.positions, wrong.embeddings
            USING ERRCODE = 'check_violation', CONSTRAINT = 'page_is_published_whole';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER page_is_published_whole AFTER INSERT ON publication_checks
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_publications();

-- TRUNCATE fires no row or transition-table trigger, so it would slip past the check.
CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of % would leave pages half published', TG_TABLE_NAME
        USING HINT = 'Remove domains with: omni domains remove DOMAIN', ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON chunks EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON embeddings EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON page_revisions EXECUTE FUNCTION refuse_truncate();

-- What any application may read: one row per published chunk of the active model.
CREATE VIEW live_chunks AS
SELECT c.id AS chunk_id, d.organization_id, d.host, p.url, r.title, r.language, c.position, c.heading_path, c.text,
    c.token_count, r.published_at, p.checked_at AS last_seen_at, e.embedding
FROM embedding_models m
JOIN embeddings e ON e.model_id = m.id
JOIN chunks c ON c.id = e.chunk_id
JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.state = 'live'
JOIN raw_pages p ON p.id = c.page_id
JOIN domains d ON d.id = c.domain_id
WHERE m.status = 'active';
COMMENT ON VIEW live_chunks IS 'One row per published chunk of the active embedding model. Read it in one statement, or in one REPEATABLE READ transaction: two statements may see two moments.';

-- The nearest published chunks, in one statement, so that an answer is never torn between two moments.
-- distance is the cosine distance, 0 (same direction) to 2.
CREATE FUNCTION search_chunks(query halfvec, most integer DEFAULT 10, only_host text DEFAULT NULL)
RETURNS TABLE (
    chunk_id bigint, host text, url text, title text, heading_path text[], text text, last_seen_at timestamptz,
    distance double precision)
LANGUAGE sql STABLE AS $$
    WITH nearest AS MATERIALIZED (
        SELECT e.chunk_id, e.embedding <=> query AS distance
        FROM embeddings e
        WHERE e.model_id = (SELECT m.id FROM embedding_models m WHERE m.status = 'active')
            AND (only_host IS NULL OR e.domain_id = (SELECT d.id FROM domains d WHERE d.host = only_host))
        ORDER BY distance, e.chunk_id
        LIMIT most
    )
    SELECT n.chunk_id, d.host, p.url, r.title, c.heading_path, c.text, p.checked_at, n.distance
    FROM nearest n
    JOIN chunks c ON c.id = n.chunk_id
    JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.state = 'live'
    JOIN raw_pages p ON p.id = c.page_id
    JOIN domains d ON d.id = c.domain_id
    ORDER BY n.distance, n.chunk_id
$$;
