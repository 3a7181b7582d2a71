-- name: forget_stale
-- What a crawl that nobody resumed in time had finished with is looked at again. What it had queued stays: the
-- page that links there may answer "not modified" for ever. An hour at least is given to resume in.
DELETE FROM crawl_frontier WHERE domain_id = %(domain_id)s AND outcome IS NOT NULL
    AND added_at < now() - make_interval(secs => greatest(%(recency_seconds)s, 3600))

-- name: forget_failed
-- What failed in a crawl that did not end is asked for again: when it is known, or linked, or due for a retry.
DELETE FROM crawl_frontier WHERE domain_id = %(domain_id)s AND outcome = 'failed'

-- name: requeue_missing
-- Why a page was to leave (gone, moved, a copy) was known to the crawl alone that did not end.
UPDATE crawl_frontier SET outcome = NULL WHERE domain_id = %(domain_id)s AND outcome = 'missing'

-- name: requeue_unforced
-- A forced crawl that takes over an unforced one looks again at what that one had finished with.
UPDATE crawl_frontier SET outcome = NULL, is_forced = true WHERE domain_id = %(domain_id)s AND NOT is_forced

-- name: seed_known
-- Every live page of the domain is due again. With less room than that it is those, beside the start page, that
-- were looked at longest ago; whether any were left out is returned. Pages that failed come last: what stops the
-- crawl there today would stop it there every day.
WITH known AS (
    SELECT url, depth, checked_at, id, EXISTS (SELECT FROM failed_pages e WHERE e.domain_id = p.domain_id
        AND e.url = p.url AND e.stage = 'fetch' AND e.resolved_at IS NULL) AS has_failed
    FROM raw_pages p
    WHERE domain_id = %(domain_id)s AND status = 'live' AND (%(only)s::text[] IS NULL OR url = ANY (%(only)s))
        AND NOT EXISTS (SELECT FROM crawl_frontier f WHERE f.domain_id = p.domain_id AND f.url = p.url)
), chosen AS (
    SELECT * FROM known
    ORDER BY url <> %(start_url)s, checked_at, id
    LIMIT CASE WHEN %(page_limit)s::bigint IS NOT NULL THEN greatest(0, %(page_limit)s::bigint
        - (SELECT count(*) FROM crawl_frontier WHERE domain_id = %(domain_id)s)) END
), seeded AS (
    INSERT INTO crawl_frontier (domain_id, url, depth, source, is_forced)
    SELECT %(domain_id)s, url, depth, 'known', %(is_forced)s FROM chosen
    ORDER BY url <> %(start_url)s, has_failed, checked_at, id
    RETURNING url
)
SELECT (SELECT count(*) FROM known) > (SELECT count(*) FROM seeded) AS is_truncated

-- name: urls
SELECT url FROM crawl_frontier WHERE domain_id = %(domain_id)s

-- name: live_of_type
-- Which pages show products, a crawl of products knows from what was last read of them.
SELECT p.url FROM raw_pages p
WHERE p.domain_id = %(domain_id)s AND p.status = 'live' AND (%(job_type)s::text IS NULL
    OR EXISTS (SELECT FROM product_listings s WHERE s.page_id = p.id
        AND (%(job_type)s = 'distributor' OR s.is_detail = (%(job_type)s = 'product'))))

-- name: postpone
-- A crawl of a part leaves the rest of an interrupted one for later. Live pages are found again without that.
WITH outside AS (
    DELETE FROM crawl_frontier WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s)
    RETURNING url, depth, source, outcome
)
INSERT INTO postponed_urls (domain_id, url, depth, source)
SELECT %(domain_id)s, url, depth, source FROM outside WHERE outcome IS NULL AND source <> 'known'
ON CONFLICT (domain_id, url) DO NOTHING

-- name: resume_postponed
WITH postponed AS (
    DELETE FROM postponed_urls WHERE domain_id = %(domain_id)s RETURNING url, depth, source
)
INSERT INTO crawl_frontier (domain_id, url, depth, source, is_forced)
SELECT %(domain_id)s, url, depth, source, %(is_forced)s FROM postponed
ORDER BY url
ON CONFLICT (domain_id, url) DO NOTHING

-- name: skip_recent
-- Pages checked inside the recency window need no request.
UPDATE crawl_frontier f SET outcome = 'skipped'
FROM raw_pages p
WHERE f.domain_id = %(domain_id)s AND f.outcome IS NULL
    AND p.domain_id = f.domain_id AND p.url = f.url AND p.status = 'live'
    AND p.checked_at > now() - make_interval(secs => %(recency_seconds)s)
    AND NOT EXISTS (SELECT FROM held_pages h WHERE h.domain_id = f.domain_id AND h.url = f.url)
    AND NOT EXISTS (SELECT FROM failed_pages e WHERE e.domain_id = f.domain_id AND e.url = f.url AND e.stage = 'fetch'
        AND e.resolved_at IS NULL AND e.next_try_at <= now())

-- name: add
-- Queues URLs not seen in this crawl, up to the page limit; returns how many found a place.
WITH room AS (
    -- Without a limit nothing is counted.
    SELECT CASE WHEN %(page_limit)s::bigint IS NOT NULL THEN greatest(0, %(page_limit)s::bigint
        - (SELECT count(*) FROM crawl_frontier WHERE domain_id = %(domain_id)s
            AND outcome IS DISTINCT FROM 'missing')) END AS places
), fresh AS (
    SELECT u.url, u.depth, u.ordinality
    FROM unnest(%(urls)s::text[], %(depths)s::int[]) WITH ORDINALITY AS u (url, depth, ordinality)
    WHERE NOT EXISTS (SELECT FROM crawl_frontier f WHERE f.domain_id = %(domain_id)s AND f.url = u.url)
), added AS (
    INSERT INTO crawl_frontier (domain_id, url, depth, source, is_forced)
    SELECT %(domain_id)s, url, min(depth), %(source)s, %(is_forced)s FROM fresh
    GROUP BY url ORDER BY min(ordinality)
    LIMIT (SELECT places FROM room)
    ON CONFLICT (domain_id, url) DO NOTHING
    RETURNING url
)
SELECT (SELECT count(*) FROM added) AS added,
    (SELECT count(DISTINCT url) FROM fresh) > (SELECT count(*) FROM added) AS is_truncated

-- name: unknown_among
-- Which of these URLs this crawl has not met yet, in the order given.
SELECT u.url FROM unnest(%(urls)s::text[]) WITH ORDINALITY AS u (url, ordinality)
WHERE NOT EXISTS (SELECT FROM crawl_frontier f WHERE f.domain_id = %(domain_id)s AND f.url = u.url)
ORDER BY u.ordinality

-- name: known_among
SELECT url FROM crawl_frontier WHERE domain_id = %(domain_id)s AND url = ANY (%(urls)s) AND source = 'known'

-- name: found_by_links
SELECT url FROM crawl_frontier WHERE domain_id = %(domain_id)s AND source IN ('link', 'known')

-- name: requeue_newer
-- Pages that were skipped as recent, and of which the sitemap says that they changed after we looked.
UPDATE crawl_frontier f SET outcome = NULL
FROM unnest(%(urls)s::text[], %(changed_ats)s::timestamptz[]) AS s (url, changed_at), raw_pages p
WHERE f.domain_id = %(domain_id)s AND f.url = s.url AND f.outcome = 'skipped'
    AND p.domain_id = f.domain_id AND p.url = f.url AND p.checked_at < s.changed_at AND s.changed_at <= now()

-- name: next_batch
-- The URLs to fetch next, with what a conditional request needs.
SELECT f.id, f.url, f.depth, f.source, p.id IS NOT NULL AS is_held, p.etag, p.last_modified
FROM crawl_frontier f
LEFT JOIN raw_pages p ON p.domain_id = f.domain_id AND p.url = f.url AND p.status = 'live'
WHERE f.domain_id = %(domain_id)s AND f.outcome IS NULL AND f.id > %(after_id)s
ORDER BY f.id
LIMIT %(limit)s

-- name: again
-- Settled URLs that are asked for once more, whole.
SELECT f.id, f.url, f.depth, f.source, p.id IS NOT NULL AS is_held, NULL AS etag, NULL AS last_modified
FROM crawl_frontier f
LEFT JOIN raw_pages p ON p.domain_id = f.domain_id AND p.url = f.url AND p.status = 'live'
WHERE f.domain_id = %(domain_id)s AND f.url = ANY (%(urls)s)
ORDER BY f.url

-- name: settle
-- Writes down how each URL of a batch ended.
UPDATE crawl_frontier f SET outcome = s.outcome
FROM unnest(%(urls)s::text[], %(outcomes)s::text[]) AS s (url, outcome)
WHERE f.domain_id = %(domain_id)s AND f.url = s.url

-- name: with_outcome
SELECT url FROM crawl_frontier WHERE domain_id = %(domain_id)s AND outcome = %(outcome)s ORDER BY id

-- name: totals
SELECT count(*) AS discovered,
    count(*) FILTER (WHERE outcome IS NULL) AS queued,
    count(*) FILTER (WHERE outcome = 'changed') AS changed,
    count(*) FILTER (WHERE outcome = 'unchanged') AS unchanged,
    count(*) FILTER (WHERE outcome = 'gone') AS gone,
    count(*) FILTER (WHERE outcome = 'failed') AS failed,
    count(*) FILTER (WHERE outcome = 'skipped') AS skipped
FROM crawl_frontier WHERE domain_id = %(domain_id)s

-- name: close
-- Moves the crawl's totals to its job and empties the frontier: the two change together.
WITH closed AS (
    DELETE FROM crawl_frontier WHERE domain_id = %(domain_id)s RETURNING outcome
)
UPDATE crawl_jobs j SET pages_discovered = t.discovered, pages_changed = t.changed, pages_unchanged = t.unchanged,
    pages_gone = t.gone, pages_failed = t.failed, pages_skipped = t.skipped, is_truncated = %(is_truncated)s
FROM (
    SELECT count(*) AS discovered,
        count(*) FILTER (WHERE outcome = 'changed') AS changed,
        count(*) FILTER (WHERE outcome = 'unchanged') AS unchanged,
        count(*) FILTER (WHERE outcome = 'gone') AS gone,
        count(*) FILTER (WHERE outcome = 'failed') AS failed,
        count(*) FILTER (WHERE outcome = 'skipped' OR outcome IS NULL) AS skipped
    FROM closed
) t
WHERE j.id = %(job_id)s
