-- name: due
-- Live pages that were not read for products as they are, by this extractor; and those that failed, as a page may
-- be again what it was when it was last read.
SELECT p.id AS page_id, p.url, p.html, p.body_hash
FROM raw_pages p
LEFT JOIN extracted_pages e ON e.page_id = p.id
WHERE p.domain_id = %(domain_id)s AND p.status = 'live' AND p.id > %(after_id)s
    AND (e.page_id IS NULL OR e.body_hash <> p.body_hash OR e.extractor <> %(extractor)s
        OR EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = p.domain_id AND f.url = p.url
            AND f.stage = 'extract' AND f.resolved_at IS NULL))
ORDER BY p.id
LIMIT %(limit)s

-- name: count_due
SELECT count(*) AS pages
FROM raw_pages p
LEFT JOIN extracted_pages e ON e.page_id = p.id
WHERE p.domain_id = %(domain_id)s AND p.status = 'live'
    AND (e.page_id IS NULL OR e.body_hash <> p.body_hash OR e.extractor <> %(extractor)s
        OR EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = p.domain_id AND f.url = p.url
            AND f.stage = 'extract' AND f.resolved_at IS NULL))

-- name: save
INSERT INTO extracted_pages (page_id, domain_id, body_hash, extractor, company, fence)
SELECT page_id, %(domain_id)s, body_hash, %(extractor)s, company, %(fence)s
FROM unnest(%(page_ids)s::bigint[], %(body_hashes)s::bytea[], %(companies)s::jsonb[]) AS e (page_id, body_hash, company)
ORDER BY page_id
ON CONFLICT (page_id) DO UPDATE SET body_hash = excluded.body_hash, extractor = excluded.extractor,
    company = excluded.company, fence = excluded.fence, extracted_at = now()

-- name: companies
SELECT page_id, company FROM extracted_pages
WHERE domain_id = %(domain_id)s AND page_id > %(after_id)s AND company IS NOT NULL
ORDER BY page_id
LIMIT %(limit)s
