-- Embedding models change without downtime: a new index is built beside the old one, which stays up to date after
-- the flip so that one command goes back. Builds are jobs like refreshes, and whole-index searches may use HNSW.

-- `previous` is what a rollback returns to; refreshes keep it as current as the active one and those being built.
-- `retired` is left as it was. `dropped` has lost its index and keeps its row for the bills that name it.
ALTER TABLE embedding_models
    DROP CONSTRAINT embedding_models_status_check,
    ADD CONSTRAINT embedding_models_status_check CHECK (status IN ('building', 'active', 'previous', 'retired', 'dropped')),
    -- Where it was last asked: many servers answer under any name, so a model is not looked for elsewhere.
    ADD COLUMN endpoint text;
CREATE UNIQUE INDEX one_previous_model ON embedding_models ((true)) WHERE status = 'previous';

ALTER TABLE crawl_jobs
    DROP CONSTRAINT crawl_jobs_job_type_check,
    ADD CONSTRAINT crawl_jobs_job_type_check CHECK (job_type IN ('full', 'category', 'product', 'distributor', 'model_build'));

-- A run that is still at work on a model while it is dropped must not leave rows behind. The share lock makes the
-- drop wait for writers under way; those that come later see it.
CREATE FUNCTION refuse_dropped_models() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    model record;
BEGIN
    FOR model IN SELECT name, status FROM embedding_models WHERE id IN (SELECT model_id FROM written) FOR SHARE LOOP
        IF model.status = 'dropped' THEN
            RAISE EXCEPTION 'the index of % was dropped while it was written', model.name
                USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse_dropped_models AFTER INSERT ON page_revisions
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION refuse_dropped_models();

-- Any use of the type loads pgvector's library, without which its settings are not known.
SELECT '[1]'::halfvec;

-- As before, and: only_model (embedding_models.id) says with which model the query was made; once another one is
-- active, there is no answer. Nothing is mixed, as everything here sees one snapshot.
-- Where the model has an HNSW index, a search of the whole index asks that for candidates and sorts them exactly. A
-- search of one domain is exact always: there HNSW finds little of what is far from the domain's neighbours.
DROP FUNCTION search_chunks(halfvec, integer, text);
CREATE FUNCTION search_chunks(
    query halfvec, most integer DEFAULT 10, only_host text DEFAULT NULL, only_model smallint DEFAULT NULL)
RETURNS TABLE (
    chunk_id bigint, host text, url text, title text, heading_path text[], text text, last_seen_at timestamptz,
    distance double precision)
LANGUAGE plpgsql STABLE
SET hnsw.iterative_scan = 'relaxed_order'
SET hnsw.ef_search = '100'
AS $$
DECLARE
    model embedding_models;
    nearest text;
BEGIN
    SELECT * INTO model FROM embedding_models m WHERE m.status = 'active' AND m.id = coalesce(only_model, m.id);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The model's number and dimensions stand in the text, not in parameters: only so does its partial index fit.
    IF only_host IS NULL AND to_regclass(format('embeddings_hnsw_%s', model.id)) IS NOT NULL THEN
        nearest := format(
            'SELECT e.chunk_id, e.embedding::halfvec(%1$s) <=> $1 AS distance FROM embeddings e'
            ' WHERE e.model_id = %2$s ORDER BY e.embedding::halfvec(%1$s) <=> $1 LIMIT $2 * 2', model.dimensions, model.id);
    ELSE
        nearest := format(
            'SELECT e.chunk_id, e.embedding <=> $1 AS distance FROM embeddings e WHERE e.model_id = %s', model.id)
            || CASE WHEN only_host IS NOT NULL THEN
                ' AND e.domain_id = (SELECT d.id FROM domains d WHERE d.host = $3)' ELSE '' END
            || ' ORDER BY distance, e.chunk_id LIMIT $2';
    END IF;
    RETURN QUERY EXECUTE
        'WITH candidates AS MATERIALIZED (' || nearest || '), nearest AS MATERIALIZED ('
        '    SELECT * FROM candidates ORDER BY distance, chunk_id LIMIT $2)'
        ' SELECT n.chunk_id, d.host, p.url, r.title, c.heading_path, c.text, p.checked_at, n.distance'
        ' FROM nearest n'
        ' JOIN chunks c ON c.id = n.chunk_id'
        ' JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.state = ''live'''
        ' JOIN raw_pages p ON p.id = c.page_id'
        ' JOIN domains d ON d.id = c.domain_id'
        ' ORDER BY n.distance, n.chunk_id'
        USING query, most, only_host;
END $$;

-- The pages that search answers with now and would lose, or would show as they were, if this model became active.
CREATE FUNCTION lacking_pages(of_model smallint) RETURNS TABLE (page_id bigint, domain_id bigint) LANGUAGE sql STABLE AS $$
    SELECT r.page_id, r.domain_id
    FROM page_revisions r
    JOIN embedding_models a ON a.id = r.model_id AND a.status = 'active'
    LEFT JOIN page_revisions n ON n.page_id = r.page_id AND n.model_id = of_model AND n.state = 'live'
    LEFT JOIN cleaned_pages t ON t.page_id = r.page_id
    WHERE r.state = 'live'
        AND (n.id IS NULL OR n.content_hash <> r.content_hash AND n.content_hash IS DISTINCT FROM t.content_hash)
$$;
