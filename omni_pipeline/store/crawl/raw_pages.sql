-- name: save
-- Stores fetched bodies in one statement. Ordered by URL, so that two writers cannot deadlock.
INSERT INTO raw_pages AS p (domain_id, url, status, http_status, etag, last_modified, content_type, charset, html,
    body_hash, rendered_by, depth, fence, fetched_at, checked_at)
SELECT %(domain_id)s, url, 'live', 200, etag, last_modified, content_type, charset, html, body_hash, rendered_by,
    depth, %(fence)s, now(), now()
FROM unnest(%(urls)s::text[], %(etags)s::text[], %(last_modifieds)s::text[], %(content_types)s::text[],
    %(charsets)s::text[], %(htmls)b::text[], %(body_hashes)s::bytea[], %(renderers)s::text[], %(depths)s::int[])
    AS f (url, etag, last_modified, content_type, charset, html, body_hash, rendered_by, depth)
ORDER BY url
ON CONFLICT (domain_id, url) DO UPDATE SET status = 'live', http_status = 200, etag = excluded.etag,
    last_modified = excluded.last_modified, content_type = excluded.content_type, charset = excluded.charset,
    html = excluded.html, body_hash = excluded.body_hash, rendered_by = excluded.rendered_by, depth = excluded.depth,
    fence = excluded.fence, fetched_at = excluded.fetched_at, checked_at = excluded.checked_at, gone_at = NULL, gone_because = NULL,
    moved_to = NULL

-- name: renew
-- Pages that answered with the body we hold: what came with it this time is what the next request has to name.
UPDATE raw_pages p SET checked_at = now(), fence = %(fence)s, etag = f.etag, last_modified = f.last_modified,
    rendered_by = f.rendered_by
FROM unnest(%(urls)s::text[], %(etags)s::text[], %(last_modifieds)s::text[], %(renderers)s::text[])
    AS f (url, etag, last_modified, rendered_by)
WHERE p.domain_id = %(domain_id)s AND p.url = f.url AND p.status = 'live'

-- name: confirm
-- Pages that answered "not modified": only the time of the look is written.
UPDATE raw_pages SET checked_at = now(), fence = %(fence)s
WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND status = 'live'

-- name: forget_validators
-- Pages are to be sent whole once more: other links of theirs may be followed now.
UPDATE raw_pages SET etag = NULL, last_modified = NULL
WHERE domain_id = %(domain_id)s AND (etag IS NOT NULL OR last_modified IS NOT NULL)

-- name: held_hashes
-- The body hashes held for these URLs, so that an identical body is not written again.
SELECT url, body_hash FROM raw_pages WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND status = 'live'

-- name: count_live
SELECT count(*) AS pages FROM raw_pages WHERE domain_id = %(domain_id)s AND status = 'live'

-- name: lock_for_retirement
SELECT id FROM raw_pages WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND status = 'live'
ORDER BY id FOR UPDATE

-- name: retire
-- The pages leave with their evidence; their text goes.
UPDATE raw_pages p SET status = 'gone', http_status = g.http_status, gone_because = g.reason, moved_to = g.place,
    html = NULL, body_hash = NULL, etag = NULL, last_modified = NULL, gone_at = now(), checked_at = now(), fence = %(fence)s
FROM unnest(%(urls)s::text[], %(http_statuses)s::int[], %(reasons)s::text[], %(places)s::text[])
    AS g (url, http_status, reason, place)
WHERE p.domain_id = %(domain_id)s AND p.url = g.url AND p.status = 'live'

-- name: same_bodies
-- Bodies new in this domain that so many URLs share, to the byte, that they cannot all be pages: and those URLs.
-- A body that was published before stays out of it, and so do the start page and pages that this crawl found.
SELECT p.url
FROM raw_pages p
LEFT JOIN cleaned_pages cp ON cp.page_id = p.id
WHERE p.domain_id = %(domain_id)s AND p.status = 'live' AND p.body_hash IS DISTINCT FROM cp.body_hash
    AND p.url <> %(start_url)s
    AND NOT EXISTS (SELECT FROM crawl_frontier f WHERE f.domain_id = p.domain_id AND f.url = p.url AND f.source <> 'known')
    AND p.body_hash IN (SELECT r.body_hash FROM raw_pages r WHERE r.domain_id = %(domain_id)s AND r.status = 'live'
        AND NOT EXISTS (SELECT FROM crawl_frontier f
            WHERE f.domain_id = r.domain_id AND f.url = r.url AND f.source <> 'known')
        GROUP BY r.body_hash HAVING count(*) >= %(minimum)s)
ORDER BY p.id

-- name: bodies
SELECT url, html FROM raw_pages WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND status = 'live'

-- name: alike
-- Live pages whose body others have too, to the byte, where this crawl found one of them: the groups in order.
WITH pages AS (
    SELECT p.id, p.url, p.body_hash, EXISTS (SELECT FROM crawl_frontier f
        WHERE f.domain_id = p.domain_id AND f.url = p.url AND f.source <> 'known') AS is_new
    FROM raw_pages p WHERE p.domain_id = %(domain_id)s AND p.status = 'live'
)
SELECT body_hash, url, NOT is_new AS is_published
FROM pages
WHERE body_hash IN (SELECT body_hash FROM pages GROUP BY body_hash HAVING count(*) > 1 AND bool_or(is_new))
ORDER BY body_hash, id

-- name: due_for_cleaning
-- Live pages whose cleaned text is missing, or was made from another body or by another cleaner. The old text is told
-- where the body changed: what another cleaner makes of the same body is not the site's doing.
SELECT p.id AS page_id, p.url, p.html, p.body_hash,
    CASE WHEN cp.body_hash <> p.body_hash THEN cp.markdown END AS markdown_before,
    coalesce(cp.characters_left_out, 0) AS left_out_before
FROM raw_pages p
LEFT JOIN cleaned_pages cp ON cp.page_id = p.id
WHERE p.domain_id = %(domain_id)s AND p.status = 'live' AND p.id > %(after_id)s
    AND CASE WHEN %(only)s::bigint[] IS NULL
        THEN cp.page_id IS NULL OR cp.body_hash <> p.body_hash OR cp.cleaner_version <> %(cleaner_version)s
        ELSE p.id = ANY (%(only)s) END
ORDER BY p.id
LIMIT %(limit)s

-- name: count_due_for_cleaning
SELECT count(*) AS pages, coalesce(sum(octet_length(p.html)), 0)::bigint AS total_bytes,
    coalesce(max(octet_length(p.html)), 0) AS largest_bytes
FROM raw_pages p
LEFT JOIN cleaned_pages cp ON cp.page_id = p.id
WHERE p.domain_id = %(domain_id)s AND p.status = 'live'
    AND (cp.page_id IS NULL OR cp.body_hash <> p.body_hash OR cp.cleaner_version <> %(cleaner_version)s)
