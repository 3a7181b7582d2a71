-- name: basis
-- What a domain is found whole by. With other invariants, another active model or on another server (a restored
-- dump) nothing is known of it.
SELECT concat_ws('/', %(invariants)s::text, (SELECT id FROM embedding_models WHERE status = 'active'),
    (SELECT system_identifier FROM pg_control_system())) AS basis

-- name: due
-- The domains whose fence moved since they were found whole, or all of them. A refresh raises the fence when it
-- begins and when it ends, however it ends. Transaction ids are compared over half their range: what was seen too long
-- ago for that was not seen at all.
SELECT d.id AS domain_id, d.host, d.fence, v.since::text AS since, pg_snapshot_xmin(pg_current_snapshot())::text AS seen
FROM domains d
LEFT JOIN verifications v ON v.domain_id = d.id AND v.basis = %(basis)s
    AND pg_snapshot_xmin(pg_current_snapshot())::text::numeric - v.since::text::numeric BETWEEN 0 AND 1000000000
WHERE (%(host)s::text IS NULL OR d.host = %(host)s) AND (NOT %(only_changed)s OR v.fence IS DISTINCT FROM d.fence)
ORDER BY d.id

-- name: domains
-- The domains to look at, and whether the newest refresh of each completed whole: while one runs, or after one that
-- failed, less can be expected of it.
SELECT d.id, coalesce(j.finished_at = d.last_success_at, false) AS is_quiet
FROM domains d
LEFT JOIN LATERAL (SELECT j.finished_at FROM crawl_jobs j WHERE j.domain_id = d.id AND j.job_type = 'full'
    ORDER BY j.fence DESC LIMIT 1) j ON true
WHERE %(domain_ids)s::bigint[] IS NULL OR d.id = ANY (%(domain_ids)s)

-- name: note
INSERT INTO verifications AS v (domain_id, fence, basis, since)
SELECT d.id, n.fence, %(basis)s, n.since
FROM unnest(%(domain_ids)s::bigint[], %(fences)s::bigint[], %(seen)s::xid8[]) AS n (domain_id, fence, since)
JOIN domains d ON d.id = n.domain_id
ORDER BY d.id
FOR KEY SHARE OF d
ON CONFLICT (domain_id) DO UPDATE SET fence = excluded.fence, basis = excluded.basis, since = excluded.since,
    verified_at = now()

-- name: forget
DELETE FROM verifications WHERE domain_id = ANY (%(domain_ids)s)
