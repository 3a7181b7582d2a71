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
