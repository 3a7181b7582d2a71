-- name: ensure
-- The model's row; the first one of all is active at once, later ones are built beside it.
INSERT INTO embedding_models (name, dimensions, is_lexical, status, activated_at)
SELECT %(name)s, %(dimensions)s, %(is_lexical)s,
    CASE WHEN other.is_active THEN 'building' ELSE 'active' END, CASE WHEN NOT other.is_active THEN now() END
FROM (SELECT EXISTS (SELECT FROM embedding_models WHERE status = 'active') AS is_active) other
ON CONFLICT (name, dimensions) DO NOTHING

-- name: find
SELECT id, name, dimensions, is_lexical, status FROM embedding_models WHERE name = %(name)s AND dimensions = %(dimensions)s

-- name: was_probed_recently
SELECT FROM embedding_models WHERE id = %(model_id)s AND probed_at > now() - interval '24 hours'

-- name: note_probe
UPDATE embedding_models SET probed_at = now() WHERE id = %(model_id)s

-- name: active
SELECT id, name, dimensions, is_lexical, status FROM embedding_models WHERE status = 'active'

-- name: overview
-- Every model with how much of the live pages it covers.
SELECT m.id, m.name, m.dimensions, m.status, m.activated_at,
    count(r.id) AS pages_published, coalesce(sum(r.chunk_count), 0) AS chunks,
    (SELECT count(DISTINCT l.page_id) FROM page_revisions l WHERE l.state = 'live') AS pages_in_any
FROM embedding_models m
LEFT JOIN page_revisions r ON r.model_id = m.id AND r.state = 'live'
GROUP BY m.id
ORDER BY m.id

-- name: missing_pages
-- Pages that search answers with now and would lose if this model became the active one.
SELECT d.host, count(*) AS pages
FROM page_revisions r
JOIN embedding_models a ON a.id = r.model_id AND a.status = 'active'
JOIN domains d ON d.id = r.domain_id
WHERE r.state = 'live' AND NOT EXISTS (
    SELECT FROM page_revisions n WHERE n.page_id = r.page_id AND n.model_id = %(model_id)s AND n.state = 'live')
GROUP BY d.host
ORDER BY d.host

-- name: lock
-- One new model and one activation at a time.
LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE

-- name: retire_active
UPDATE embedding_models SET status = 'retired' WHERE status = 'active'

-- name: activate
UPDATE embedding_models SET status = 'active', activated_at = now() WHERE id = %(model_id)s
