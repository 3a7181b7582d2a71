-- name: order
-- Takes the texts that nobody asks for, whose asker's job has ended, or whose asker is given up. Ordered, so that two
-- runs cannot deadlock.
INSERT INTO embedding_orders AS o (organization_id, model_id, text_hash, job_id)
SELECT %(organization_id)s, %(model_id)s, text_hash, %(job_id)s
FROM unnest(%(text_hashes)s::bytea[]) AS t (text_hash)
ORDER BY text_hash
ON CONFLICT (organization_id, model_id, text_hash) DO UPDATE SET job_id = excluded.job_id
WHERE o.job_id = ANY (%(given_up)s)
    OR NOT EXISTS (SELECT FROM crawl_jobs j WHERE j.id = o.job_id AND j.status = 'running')
    OR o.job_id = excluded.job_id
RETURNING text_hash

-- name: askers
-- Who asks for these texts, and the sign of life by which to tell whether they still do.
SELECT DISTINCT j.id AS job_id, j.heartbeat_at
FROM embedding_orders o JOIN crawl_jobs j ON j.id = o.job_id
WHERE o.organization_id = %(organization_id)s AND o.model_id = %(model_id)s AND o.text_hash = ANY (%(text_hashes)s)

-- name: release
DELETE FROM embedding_orders WHERE organization_id = %(organization_id)s AND model_id = %(model_id)s
    AND text_hash = ANY (%(text_hashes)s) AND job_id = %(job_id)s
