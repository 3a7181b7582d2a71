-- Pages leave the index after what replaces them is in it, a vector is paid for once per organization, model and
-- text, and a claim is proved by more than numbers that a restored database hands out a second time.

-- Where a gone page went, so that it stays searchable until that page is published. Null: nowhere.
ALTER TABLE raw_pages ADD COLUMN moved_to text CHECK (octet_length(moved_to) <= 2048);

-- What readers still find of pages that the site no longer has is looked for at the end of each refresh.
CREATE INDEX raw_pages_gone ON raw_pages (domain_id, id) WHERE status = 'gone';

-- Whether a gone page may leave a model's index: the page that it moved to is published as it is now, and no text of
-- it waits to be published on another page while it stands on no other.
CREATE FUNCTION is_replaced(gone raw_pages, model_id smallint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM raw_pages t
        LEFT JOIN cleaned_pages cp ON cp.page_id = t.id
        LEFT JOIN page_revisions r ON r.page_id = t.id AND r.model_id = $2 AND r.state = 'live'
        WHERE t.domain_id = gone.domain_id AND t.url = gone.moved_to AND t.status = 'live'
            AND (r.id IS NULL OR cp.body_hash <> t.body_hash OR r.content_hash <> cp.content_hash)
    ) AND NOT EXISTS (
        SELECT FROM page_revisions s
        JOIN staged_chunks sc ON sc.revision_id = s.id
        JOIN chunks c ON c.page_id = gone.id AND c.model_id = $2 AND c.text_hash = sc.text_hash
        WHERE s.domain_id = gone.domain_id AND s.model_id = $2 AND s.state = 'staged'
            AND NOT EXISTS (SELECT FROM embeddings e JOIN chunks o ON o.id = e.chunk_id
                JOIN raw_pages p ON p.id = o.page_id AND p.status = 'live'
                WHERE e.model_id = $2 AND e.text_hash = sc.text_hash AND e.domain_id = gone.domain_id))
$$;

-- Whether a search may meet this vector. A constraint holds it for what is written; a disk may say otherwise.
CREATE FUNCTION is_usable(embedding halfvec, dimensions smallint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(l2_norm(embedding) > 0 AND vector_dims(embedding) = dimensions, false);

-- Vectors that are paid for and stand on no published page: not yet, or not any more. A text that comes back, on
-- whatever page of the organization's domains, takes its vector from here.
-- Without foreign keys, whose checks per row take longer than the row: organizations stay, and models are dropped with
-- their rows here.
CREATE TABLE kept_embeddings (
    organization_id bigint NOT NULL,
    model_id smallint NOT NULL,
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    dimensions smallint NOT NULL,
    embedding halfvec NOT NULL,
    -- Whose text it was last. No foreign key: a domain that is removed and registered again pays nothing again.
    host text NOT NULL,
    -- Paid for since it was last published: what a re-embedding waits for.
    is_fresh boolean NOT NULL,
    last_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, model_id, text_hash),
    CONSTRAINT has_declared_dimensions CHECK (vector_dims(embedding) = dimensions),
    CONSTRAINT is_not_zero CHECK (l2_norm(embedding) > 0)
);
ALTER TABLE kept_embeddings ALTER COLUMN embedding SET STORAGE PLAIN;
CREATE INDEX kept_embeddings_fresh ON kept_embeddings (host) WHERE is_fresh;
CREATE INDEX kept_embeddings_by_use ON kept_embeddings (last_used_at);

INSERT INTO kept_embeddings (organization_id, model_id, text_hash, dimensions, embedding, host, is_fresh, last_used_at)
SELECT d.organization_id, s.model_id, s.text_hash, s.dimensions, s.embedding, d.host, true, s.staged_at
FROM staged_embeddings s JOIN domains d ON d.id = s.domain_id
ORDER BY s.staged_at DESC
ON CONFLICT DO NOTHING;
DROP TABLE staged_embeddings;

-- Keeps the vectors of chunks that are about to leave, unless a newer one of the same text is kept.
CREATE FUNCTION keep_vectors(chunk_ids bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO kept_embeddings AS k (organization_id, model_id, text_hash, dimensions, embedding, host, is_fresh)
    SELECT c.organization_id, e.model_id, e.text_hash, e.dimensions, e.embedding, c.host, false
    FROM (
        -- Sorted without the vectors, which are long.
        SELECT DISTINCT ON (d.organization_id, o.model_id, o.text_hash) o.id, o.model_id, o.text_hash, d.organization_id, d.host
        FROM chunks o JOIN domains d ON d.id = o.domain_id
        WHERE o.id = ANY (chunk_ids)
        ORDER BY d.organization_id, o.model_id, o.text_hash
    ) c JOIN embeddings e ON e.chunk_id = c.id AND e.model_id = c.model_id AND e.text_hash = c.text_hash
    WHERE is_usable(e.embedding, e.dimensions)
    ON CONFLICT (organization_id, model_id, text_hash) DO UPDATE SET last_used_at = now()
$$;

-- Texts that a run asks an endpoint for right now: whoever needs the same waits for its answer, as long as the job runs.
CREATE TABLE embedding_orders (
    organization_id bigint NOT NULL REFERENCES organizations (id),
    model_id smallint NOT NULL,
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    job_id bigint NOT NULL REFERENCES crawl_jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (organization_id, model_id, text_hash)
);
CREATE INDEX embedding_orders_by_job ON embedding_orders (job_id);

-- Texts whose answer was paid for and could not be used, and how often: they are not bought without end.
CREATE TABLE unusable_embeddings (
    organization_id bigint NOT NULL REFERENCES organizations (id),
    model_id smallint NOT NULL REFERENCES embedding_models (id),
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    host text NOT NULL,
    times integer NOT NULL DEFAULT 1 CHECK (times > 0),
    reason text NOT NULL,
    last_tried_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, model_id, text_hash)
);

-- Drawn at random with each claim. After a failover or a restore that lost the newest transactions, job ids and fences
-- are handed out again: this is not.
ALTER TABLE domains ADD COLUMN claim_nonce uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE crawl_jobs ADD COLUMN nonce uuid;
UPDATE crawl_jobs j SET nonce = d.claim_nonce FROM domains d WHERE d.id = j.domain_id AND j.status = 'running';

-- Clocks step back: a rule that compares two of their times refuses rows that are right, and with them all others.
ALTER TABLE crawl_jobs
    DROP CONSTRAINT times_in_order,
    -- The latest that the clock showed while the job ran: it ends no earlier, and so not before its own writes.
    ADD COLUMN latest_at timestamptz NOT NULL DEFAULT clock_timestamp();

-- When the limit was last drawn upon: a moment ahead of the clock says by how much that was set back.
ALTER TABLE rate_limits ADD COLUMN reserved_at timestamptz NOT NULL DEFAULT '-infinity';
