-- name: record
-- One open row per page and stage: a repeated failure counts up and waits longer, doubling from an hour to a week.
INSERT INTO failed_pages AS f (domain_id, job_id, url, stage, error_kind, error, next_try_at)
SELECT %(domain_id)s, %(job_id)s, url, %(stage)s, error_kind, error,
    CASE WHEN error_kind LIKE 'permanent.%%' THEN NULL ELSE now() + interval '1 hour' END
FROM unnest(%(urls)s::text[], %(error_kinds)s::text[], %(errors)s::text[]) AS n (url, error_kind, error)
ORDER BY url
ON CONFLICT (domain_id, url, stage) WHERE resolved_at IS NULL DO UPDATE SET
    job_id = excluded.job_id, error_kind = excluded.error_kind, error = excluded.error, attempts = f.attempts + 1,
    last_failed_at = now(),
    next_try_at = CASE WHEN excluded.next_try_at IS NULL THEN NULL
        ELSE now() + least(interval '7 days', interval '1 hour' * 2 ^ least(f.attempts, 8)) END

-- name: resolve
UPDATE failed_pages SET resolved_at = now()
WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND stage = ANY (%(stages)s) AND resolved_at IS NULL

-- name: count_attempts
SELECT url, attempts FROM failed_pages
WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND stage = %(stage)s AND error_kind = %(kind)s
    AND resolved_at IS NULL

-- name: resolve_readable_again
-- A page that could not be read, and is now as it was when it last could: nothing is due, and nothing failed.
UPDATE failed_pages f SET resolved_at = now()
FROM raw_pages p JOIN cleaned_pages cp ON cp.page_id = p.id
WHERE f.domain_id = %(domain_id)s AND f.stage = 'clean' AND f.resolved_at IS NULL
    AND p.domain_id = f.domain_id AND p.url = f.url AND p.status = 'live' AND cp.body_hash = p.body_hash

-- name: open
SELECT d.host, f.url, f.stage, f.error_kind, f.error, f.attempts, f.last_failed_at, f.next_try_at
FROM failed_pages f JOIN domains d ON d.id = f.domain_id
WHERE f.resolved_at IS NULL AND (%(domain_id)s::bigint IS NULL OR f.domain_id = %(domain_id)s)
    AND (%(stage)s::text IS NULL OR f.stage = %(stage)s)
ORDER BY d.host, f.last_failed_at DESC, f.url
LIMIT %(limit)s

-- name: count_open
SELECT stage, count(*) AS pages FROM failed_pages
WHERE resolved_at IS NULL AND (%(domain_id)s::bigint IS NULL OR domain_id = %(domain_id)s)
GROUP BY stage ORDER BY stage

-- name: make_due
-- A person asks for another try: what waits for its time and what waits for a person are both due now.
UPDATE failed_pages SET next_try_at = now()
WHERE resolved_at IS NULL AND (%(domain_id)s::bigint IS NULL OR domain_id = %(domain_id)s)
    AND (%(stage)s::text IS NULL OR stage = %(stage)s)

-- name: due_for_retry
-- Pages whose fetch failed and whose time has come; forced runs do not wait.
SELECT url FROM failed_pages
WHERE domain_id = %(domain_id)s AND stage = 'fetch' AND resolved_at IS NULL
    AND (next_try_at <= now() OR %(is_forced)s)
ORDER BY id
