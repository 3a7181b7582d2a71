-- name: note
INSERT INTO unusable_embeddings AS u (organization_id, model_id, text_hash, host, reason)
SELECT %(organization_id)s, %(model_id)s, text_hash, %(host)s, reason
FROM unnest(%(text_hashes)s::bytea[], %(reasons)s::text[]) AS t (text_hash, reason)
ORDER BY text_hash
ON CONFLICT (organization_id, model_id, text_hash) DO UPDATE SET times = u.times + 1, reason = excluded.reason,
    host = excluded.host, last_tried_at = now()

-- name: given_up
-- The texts that were bought in vain often enough, unless that is long ago: an endpoint may be mended.
SELECT text_hash, reason FROM unusable_embeddings
WHERE organization_id = %(organization_id)s AND model_id = %(model_id)s AND text_hash = ANY (%(text_hashes)s)
    AND times >= %(max_times)s AND last_tried_at > now() - make_interval(days => %(days)s)

-- name: forget
DELETE FROM unusable_embeddings
WHERE organization_id = %(organization_id)s AND model_id = %(model_id)s AND text_hash = ANY (%(text_hashes)s)

-- name: erase
DELETE FROM unusable_embeddings WHERE host = %(host)s
