-- name: due
-- The sampled pages whose blocks are not known as they are now. By the hash of the URL, the sample is the same in
-- whatever order pages were found, and a page more or less moves one of its pages at most.
SELECT p.id FROM (
    SELECT id, body_hash FROM raw_pages WHERE domain_id = %(domain_id)s AND status = 'live'
    ORDER BY sha256(convert_to(url, 'UTF8')) LIMIT %(limit)s
) p
LEFT JOIN boilerplate_samples s ON s.page_id = p.id
WHERE s.page_id IS NULL OR s.body_hash <> p.body_hash OR s.cleaner_version <> %(cleaner_version)s
ORDER BY p.id

-- name: note
-- Of a body whose text is not to be trusted only the look is noted: the blocks stay those of the body before.
INSERT INTO boilerplate_samples (page_id, domain_id, body_hash, cleaner_version, blocks)
SELECT page_id, %(domain_id)s, n.body_hash, %(cleaner_version)s, coalesce(n.blocks, old.blocks, '')
FROM unnest(%(page_ids)s::bigint[], %(body_hashes)s::bytea[], %(blocks)s::bytea[]) AS n (page_id, body_hash, blocks)
LEFT JOIN boilerplate_samples old USING (page_id)
ORDER BY page_id
ON CONFLICT (page_id) DO UPDATE SET body_hash = excluded.body_hash, cleaner_version = excluded.cleaner_version,
    blocks = excluded.blocks

-- name: forget_others
-- Pages that have left the sample.
DELETE FROM boilerplate_samples s
WHERE s.domain_id = %(domain_id)s AND s.page_id NOT IN (
    SELECT id FROM raw_pages WHERE domain_id = %(domain_id)s AND status = 'live'
    ORDER BY sha256(convert_to(url, 'UTF8')) LIMIT %(limit)s)

-- name: samples
SELECT blocks FROM boilerplate_samples WHERE domain_id = %(domain_id)s

-- name: decision
SELECT version, blocks FROM boilerplate WHERE domain_id = %(domain_id)s

-- name: decide
INSERT INTO boilerplate (domain_id, version, blocks) VALUES (%(domain_id)s, %(version)s, %(blocks)s)
ON CONFLICT (domain_id) DO UPDATE SET version = excluded.version, blocks = excluded.blocks, decided_at = now()
