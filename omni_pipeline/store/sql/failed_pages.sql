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

-- name: open_of_domain
SELECT url, stage, error_kind, error, attempts, last_failed_at, next_try_at FROM failed_pages
WHERE domain_id = %(domain_id)s AND resolved_at IS NULL ORDER BY last_failed_at DESC, url LIMIT %(most)s

-- name: due_for_retry
-- Pages whose fetch failed and whose time has come; forced runs do not wait.
SELECT url FROM failed_pages
WHERE domain_id = %(domain_id)s AND stage = 'fetch' AND resolved_at IS NULL
    AND (next_try_at <= now() OR %(is_forced)s)
ORDER BY id
