-- name: has_organization
SELECT FROM organizations WHERE name = %(organization)s

-- name: find
-- All columns: those of the crawl options are listed in the code alone.
SELECT d.*, o.name AS organization
FROM domains d JOIN organizations o ON o.id = d.organization_id WHERE d.host = %(host)s

-- name: hosts
SELECT host FROM domains ORDER BY host

-- name: active_hosts
SELECT host FROM domains WHERE status = 'active' ORDER BY host

-- name: list_stale
-- Active domains by the age of their last success, or of their registration where there was none.
SELECT d.host, d.last_success_at, extract(epoch FROM a.age)::float8 / 3600 AS hours
FROM domains d CROSS JOIN LATERAL (SELECT now() - coalesce(d.last_success_at, d.created_at) AS age) a
WHERE d.status = 'active' AND a.age > make_interval(secs => %(limit_hours)s::float8 * 3600)
ORDER BY a.age DESC, d.host

-- name: set_status
UPDATE domains SET status = %(status)s WHERE host = %(host)s RETURNING id

-- name: forget_validators
-- Pages are to be sent whole once more: what may be read of them is another now.
UPDATE raw_pages p SET etag = NULL, last_modified = NULL FROM domains d
WHERE d.host = %(host)s AND p.domain_id = d.id AND (p.etag IS NOT NULL OR p.last_modified IS NOT NULL)

-- name: note_start_url
UPDATE domains SET start_url = %(start_url)s WHERE id = %(domain_id)s

-- name: note_move
UPDATE domains SET moved_to = %(moved_to)s WHERE id = %(domain_id)s

-- name: end_running_job
-- First half of a removal, in the removal's transaction: the run in progress learns from its fence that it has lost its domain.
WITH d AS (UPDATE domains SET fence = fence + 1 WHERE host = %(host)s RETURNING id)
UPDATE crawl_jobs j SET status = 'failed', ended_by = 'removal', finished_at = greatest(clock_timestamp(), j.started_at, j.latest_at),
    error_kind = 'permanent.domain_removed', error = format('The domain %%s was removed while it was being refreshed.', j.host)
FROM d WHERE j.domain_id = d.id AND j.status = 'running'
RETURNING j.run_id

-- name: keep_vectors
-- A domain that is registered again, with the same texts, pays nothing again.
SELECT keep_vectors(ARRAY(SELECT c.id FROM chunks c JOIN domains d ON d.id = c.domain_id WHERE d.host = %(host)s))

-- name: remove
-- Pages, chunks, vectors, frontier and failures go with the domain; the job ledger stays.
DELETE FROM domains WHERE host = %(host)s RETURNING id

-- name: overview
SELECT d.host, d.status, o.name AS organization, d.start_url, d.last_success_at,
    (SELECT count(*) FROM raw_pages p WHERE p.domain_id = d.id AND p.status = 'live') AS pages,
    coalesce(r.chunks, 0) AS chunks,
    (SELECT count(*) FROM failed_pages f WHERE f.domain_id = d.id AND f.resolved_at IS NULL) AS open_failures,
    (SELECT count(*) FROM held_pages h WHERE h.domain_id = d.id AND h.confirmed_at IS NULL) AS pages_held,
    (SELECT count(*) FROM products p
        WHERE p.domain_id = d.id AND p.vanished_at IS NOT NULL AND p.vanishing_confirmed_at IS NULL) AS products_held,
    (SELECT count(*) FROM held_prices h WHERE h.domain_id = d.id) AS prices_held,
    (SELECT coalesce(sum(u.tokens), 0)::bigint FROM token_usage u
        WHERE u.domain_id = d.id AND u.used_at >= date_trunc('day', now())) AS tokens_today,
    (SELECT CASE WHEN count(*) = count(u.cost_usd) THEN coalesce(sum(u.cost_usd), 0)::float8 END FROM token_usage u
        WHERE u.domain_id = d.id AND u.used_at >= date_trunc('day', now())) AS cost_usd_today,
    j.id AS job_id, j.status AS job_status, j.stage AS job_stage, j.run_id AS job_run_id, j.error AS job_error,
    j.started_at AS job_started_at, j.finished_at AS job_finished_at,
    j.pages_discovered, j.pages_changed, j.pages_unchanged, j.pages_gone, j.pages_failed, j.chunks_embedded,
    CASE WHEN j.status = 'running' THEN extract(epoch FROM clock_timestamp() - j.heartbeat_at)::float8 END AS beat_age_seconds
FROM domains d
JOIN organizations o ON o.id = d.organization_id
LEFT JOIN LATERAL (
    SELECT sum(r.chunk_count) AS chunks FROM page_revisions r JOIN embedding_models m ON m.id = r.model_id
    WHERE r.domain_id = d.id AND r.state = 'live' AND m.status = 'active'
) r ON true
LEFT JOIN LATERAL (SELECT * FROM crawl_jobs j WHERE j.domain_id = d.id ORDER BY j.id DESC LIMIT 1) j ON true
WHERE %(host)s::text IS NULL OR d.host = %(host)s
ORDER BY d.host
