-- name: record
INSERT INTO render_decisions (domain_id, pattern, needs_browser, decided_at)
SELECT %(domain_id)s, pattern, needs_browser, now()
FROM unnest(%(patterns)s::text[], %(decisions)s::boolean[]) AS n (pattern, needs_browser)
ORDER BY pattern
ON CONFLICT (domain_id, pattern) DO UPDATE SET needs_browser = excluded.needs_browser, decided_at = excluded.decided_at

-- name: recent
-- The newest decisions that are not too old to stand.
SELECT pattern, needs_browser FROM render_decisions
WHERE domain_id = %(domain_id)s AND decided_at > now() - make_interval(secs => %(seconds)s)
ORDER BY decided_at DESC LIMIT %(limit)s
