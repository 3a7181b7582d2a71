-- name: keep
INSERT INTO robots_files (domain_id, origin, content, fetched_at)
VALUES (%(domain_id)s, %(origin)s, %(content)s, now())
ON CONFLICT (domain_id, origin) DO UPDATE SET content = excluded.content, fetched_at = excluded.fetched_at

-- name: find
SELECT content, extract(epoch FROM now() - fetched_at)::float8 AS age_seconds FROM robots_files
WHERE domain_id = %(domain_id)s AND origin = %(origin)s
