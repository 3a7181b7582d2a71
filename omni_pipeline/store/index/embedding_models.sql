-- name: ensure
-- The model's row; the first one of all is active at once, later ones are built beside it. A dropped one begins anew.
INSERT INTO embedding_models AS m (name, dimensions, is_lexical, endpoint, status, activated_at)
SELECT %(name)s, %(dimensions)s, %(is_lexical)s, %(endpoint)s,
    CASE WHEN other.is_active THEN 'building' ELSE 'active' END, CASE WHEN NOT other.is_active THEN now() END
FROM (SELECT EXISTS (SELECT FROM embedding_models WHERE status = 'active') AS is_active) other
ON CONFLICT (name, dimensions) DO UPDATE SET endpoint = coalesce(excluded.endpoint, m.endpoint),
    status = CASE m.status WHEN 'dropped' THEN excluded.status ELSE m.status END

-- name: find
SELECT id, name, dimensions, is_lexical, status, endpoint FROM embedding_models
WHERE name = %(name)s AND dimensions = %(dimensions)s

-- name: named
-- By name, or by NAME@DIMENSIONS where several models share the name.
SELECT id, name, dimensions, is_lexical, status, endpoint FROM embedding_models
WHERE name = %(reference)s OR name || '@' || dimensions = %(reference)s
ORDER BY status = 'dropped', dimensions

-- name: kept
-- The models whose indexes are kept up to date, beside the one that is being written.
SELECT id, name, dimensions, is_lexical, status, endpoint FROM embedding_models
WHERE status IN ('building', 'active', 'previous') AND id <> %(model_id)s
ORDER BY status <> 'active', id

-- name: was_probed_recently
SELECT FROM embedding_models WHERE id = %(model_id)s AND probed_at > now() - interval '24 hours'

-- name: note_probe
UPDATE embedding_models SET probed_at = now() WHERE id = %(model_id)s

-- name: active
SELECT id, name, dimensions, is_lexical, status, endpoint FROM embedding_models WHERE status = 'active'

-- name: previous
SELECT id, name, dimensions, is_lexical, status, endpoint FROM embedding_models WHERE status = 'previous'

-- name: overview
-- Every model with how much of the active index it covers, and how much of that it lacks.
SELECT m.id, m.name, m.dimensions, m.status, m.endpoint, m.activated_at,
    count(r.id) AS pages_published, coalesce(sum(r.chunk_count), 0) AS chunks,
    (SELECT count(*) FROM lacking_pages(m.id)) AS pages_lacking
FROM embedding_models m
LEFT JOIN page_revisions r ON r.model_id = m.id AND r.state = 'live'
WHERE m.status <> 'dropped' OR EXISTS (SELECT FROM page_revisions l WHERE l.model_id = m.id)
GROUP BY m.id
ORDER BY m.id

-- name: lacking_pages
SELECT d.host, count(*) AS pages
FROM lacking_pages(%(model_id)s::smallint) l JOIN domains d ON d.id = l.domain_id
GROUP BY d.host
ORDER BY d.host

-- name: lock
-- One new model and one activation at a time.
LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE

-- name: hold_publications
-- Nothing is published between the check that an index is complete and the flip to it.
LOCK TABLE page_revisions IN SHARE MODE

-- name: retire_previous
UPDATE embedding_models SET status = 'retired' WHERE status = 'previous'

-- name: leave_active
UPDATE embedding_models SET status = 'previous' WHERE status = 'active'

-- name: activate
UPDATE embedding_models SET status = 'active', activated_at = now() WHERE id = %(model_id)s

-- name: resume
UPDATE embedding_models SET status = 'building' WHERE id = %(model_id)s AND status = 'retired'

-- name: mark_dropped
-- Waits for the writers of this model that are under way; see the trigger refuse_dropped_models.
UPDATE embedding_models SET status = 'dropped', activated_at = NULL, probed_at = NULL
WHERE id = %(model_id)s AND status <> 'active'

-- name: next_pages
SELECT DISTINCT page_id FROM page_revisions WHERE model_id = %(model_id)s AND page_id > %(after_id)s
ORDER BY page_id
LIMIT %(limit)s

-- name: remove_vectors
DELETE FROM embeddings e USING chunks c
WHERE c.page_id = ANY (%(page_ids)s) AND c.model_id = %(model_id)s AND e.chunk_id = c.id

-- name: remove_chunks
DELETE FROM chunks WHERE page_id = ANY (%(page_ids)s) AND model_id = %(model_id)s

-- name: remove_revisions
DELETE FROM page_revisions WHERE page_id = ANY (%(page_ids)s) AND model_id = %(model_id)s

-- name: remove_kept_vectors
DELETE FROM kept_embeddings WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM kept_embeddings WHERE model_id = %(model_id)s LIMIT %(limit)s))
