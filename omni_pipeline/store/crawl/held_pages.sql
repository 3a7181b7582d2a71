-- name: hold
-- What is held now replaces what was held before; a confirmation stays with the page it was given for.
INSERT INTO held_pages AS h (domain_id, url, reason)
SELECT %(domain_id)s, url, reason FROM unnest(%(urls)s::text[], %(reasons)s::text[]) AS n (url, reason)
ORDER BY url
ON CONFLICT (domain_id, url) DO UPDATE SET reason = excluded.reason,
    confirmed_at = CASE WHEN h.reason = excluded.reason THEN h.confirmed_at END

-- name: release_others
-- Pages that are no longer lost, or not shrunk any more, are held no longer; those that nobody could look at are. The
-- job remembers how many of the losses a person had confirmed: so many pages may leave at once.
WITH released AS (
    DELETE FROM held_pages h
    WHERE domain_id = %(domain_id)s AND url <> ALL (%(urls)s) AND (reason = 'shrunk') = %(is_shrinkage)s
        AND (%(is_shrinkage)s OR NOT EXISTS (SELECT FROM raw_pages p
            LEFT JOIN crawl_frontier f ON f.domain_id = p.domain_id AND f.url = p.url
            WHERE p.domain_id = h.domain_id AND p.url = h.url AND p.status = 'live'
                AND (f.url IS NULL OR f.outcome IN ('skipped', 'failed'))))
    RETURNING reason, confirmed_at
)
UPDATE crawl_jobs SET pages_confirmed = pages_confirmed + released.pages
FROM (SELECT count(*) AS pages FROM released WHERE confirmed_at IS NOT NULL AND reason <> 'shrunk') released
WHERE id = %(job_id)s AND released.pages > 0

-- name: confirmed
SELECT url FROM held_pages
WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND confirmed_at IS NOT NULL

-- name: of_domain
SELECT url, reason, held_at, confirmed_at FROM held_pages
WHERE domain_id = %(domain_id)s ORDER BY reason, url LIMIT %(limit)s

-- name: count_unconfirmed
SELECT reason, count(*) AS pages FROM held_pages WHERE domain_id = %(domain_id)s AND confirmed_at IS NULL
GROUP BY reason ORDER BY reason

-- name: confirm
UPDATE held_pages SET confirmed_at = now() WHERE domain_id = %(domain_id)s AND confirmed_at IS NULL
