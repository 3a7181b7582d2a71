-- name: record
INSERT INTO non_pages (domain_id, url, depth)
SELECT %(domain_id)s, url, depth FROM unnest(%(urls)s::text[], %(depths)s::int[]) AS n (url, depth)
ORDER BY url
ON CONFLICT (domain_id, url) DO UPDATE SET checked_at = now()

-- name: record_gone
-- Pages that just left: they may return.
INSERT INTO non_pages (domain_id, url, depth)
SELECT domain_id, url, depth FROM raw_pages
WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND status = 'gone'
ORDER BY url
ON CONFLICT (domain_id, url) DO UPDATE SET checked_at = now()

-- name: due
-- Each waits as long again as it has been dead: a day, two, four. An hour less, since no refresh is on the minute.
SELECT url, depth FROM non_pages
WHERE domain_id = %(domain_id)s AND now() - checked_at >= checked_at - found_at - interval '1 hour'
ORDER BY checked_at, url LIMIT %(limit)s

-- name: forget
-- Those that are pages again, and those that were dead for so long that hardly anything will link there.
DELETE FROM non_pages e
WHERE domain_id = %(domain_id)s AND (checked_at - found_at > make_interval(days => %(days)s)
    OR EXISTS (SELECT FROM raw_pages p WHERE p.domain_id = e.domain_id AND p.url = e.url AND p.status = 'live'))
