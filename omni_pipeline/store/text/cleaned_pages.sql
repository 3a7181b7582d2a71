-- name: save
-- A text that says the same (its hash leaves out noise, such as times and counters) stays to the letter: the offsets
-- of its chunks are counted in it.
INSERT INTO cleaned_pages AS cp (page_id, domain_id, body_hash, content_hash, cleaner_version, title, description,
    language, canonical_url, markdown, published_on, modified_on, breadcrumbs, boilerplate_version, characters_left_out,
    changed_headings, found_fence, changed_fence, fence)
SELECT page_id, %(domain_id)s, body_hash, content_hash, %(cleaner_version)s, title, description, language,
    canonical_url, markdown, published_on, modified_on, ARRAY(SELECT jsonb_array_elements_text(breadcrumbs)),
    boilerplate_version, left_out, ARRAY(SELECT jsonb_array_elements_text(changed_headings)), %(fence)s, %(fence)s,
    %(fence)s
FROM unnest(%(page_ids)s::bigint[], %(body_hashes)s::bytea[], %(content_hashes)s::bytea[], %(titles)s::text[],
    %(descriptions)s::text[], %(languages)s::text[], %(canonical_urls)s::text[], %(markdowns)s::text[],
    %(published_days)s::date[], %(modified_days)s::date[], %(breadcrumbs)s::jsonb[], %(boilerplate_versions)s::int[],
    %(left_out)s::int[], %(changed_headings)s::jsonb[])
    AS c (page_id, body_hash, content_hash, title, description, language, canonical_url, markdown, published_on,
    modified_on, breadcrumbs, boilerplate_version, left_out, changed_headings)
ORDER BY page_id
ON CONFLICT (page_id) DO UPDATE SET body_hash = excluded.body_hash, content_hash = excluded.content_hash,
    cleaner_version = excluded.cleaner_version, title = excluded.title, description = excluded.description,
    language = excluded.language, canonical_url = excluded.canonical_url,
    markdown = CASE WHEN cp.content_hash = excluded.content_hash THEN cp.markdown ELSE excluded.markdown END,
    published_on = excluded.published_on, modified_on = excluded.modified_on, breadcrumbs = excluded.breadcrumbs,
    boilerplate_version = excluded.boilerplate_version, characters_left_out = excluded.characters_left_out,
    changed_headings = CASE WHEN cp.body_hash = excluded.body_hash OR cp.content_hash = excluded.content_hash
        THEN cp.changed_headings ELSE excluded.changed_headings END,
    changed_fence = CASE WHEN cp.body_hash = excluded.body_hash OR cp.content_hash = excluded.content_hash
        THEN cp.changed_fence ELSE excluded.changed_fence END,
    fence = excluded.fence, cleaned_at = now()

-- name: held_hashes
SELECT page_id, content_hash FROM cleaned_pages WHERE page_id = ANY (%(page_ids)s)

-- name: remove
DELETE FROM cleaned_pages WHERE page_id = ANY (%(page_ids)s)

-- name: behind
-- Pages whose body is another by now are left alone: they are cleaned anew anyway, or held.
SELECT cp.page_id
FROM cleaned_pages cp
JOIN raw_pages p ON p.id = cp.page_id AND p.status = 'live' AND p.body_hash = cp.body_hash
WHERE cp.domain_id = %(domain_id)s AND cp.boilerplate_version <> %(boilerplate_version)s
ORDER BY cp.cleaned_at, cp.page_id
LIMIT %(limit)s

-- name: count_behind
SELECT count(*) AS pages
FROM cleaned_pages cp
JOIN raw_pages p ON p.id = cp.page_id AND p.status = 'live' AND p.body_hash = cp.body_hash
WHERE cp.domain_id = %(domain_id)s AND cp.boilerplate_version <> %(boilerplate_version)s

-- name: changes
-- Every claim has a higher fence than the one before: what was written with a higher one than that of the last refresh
-- that came to its end was written since. Refreshes that broke off in between had nobody to tell.
WITH last AS (
    SELECT coalesce(max(fence), 0) AS fence FROM crawl_jobs
    WHERE domain_id = %(domain_id)s AND status = 'completed' AND job_type <> 'model_build'
), found AS (
    SELECT CASE WHEN cp.found_fence > last.fence THEN 'new' ELSE 'changed' END AS kind, p.url, cp.title,
        cp.changed_headings AS headings, NULL AS reason
    FROM last, cleaned_pages cp JOIN raw_pages p ON p.id = cp.page_id
    WHERE cp.domain_id = %(domain_id)s AND cp.changed_fence > last.fence
    UNION ALL
    SELECT 'gone', p.url, '', '{}', p.gone_because FROM last, raw_pages p
    WHERE p.domain_id = %(domain_id)s AND p.status = 'gone' AND p.fence > last.fence
)
SELECT kind, url, title, headings, reason, pages
FROM (
    SELECT *, count(*) OVER (PARTITION BY kind) AS pages, row_number() OVER (PARTITION BY kind ORDER BY url) AS place
    FROM found
) f
WHERE place <= %(limit)s
ORDER BY array_position(ARRAY['new', 'changed', 'gone'], kind), url

-- name: due_for_chunking
-- Pages whose text or chunking differs from both their live and their staged revision, and those to be published anew.
SELECT cp.page_id, p.url, cp.title, cp.language, cp.markdown, cp.content_hash
FROM cleaned_pages cp
JOIN raw_pages p ON p.id = cp.page_id AND p.status = 'live'
LEFT JOIN page_revisions r ON r.page_id = cp.page_id AND r.model_id = %(model_id)s AND r.state = 'live'
LEFT JOIN page_revisions s ON s.page_id = cp.page_id AND s.model_id = %(model_id)s AND s.state = 'staged'
WHERE cp.domain_id = %(domain_id)s AND cp.page_id > %(after_id)s
    AND CASE
        WHEN s.id IS NOT NULL THEN s.content_hash <> cp.content_hash OR s.chunker <> %(chunker)s
        WHEN cp.page_id = ANY (%(broken)s::bigint[]) THEN true
        ELSE r.id IS NULL OR r.content_hash <> cp.content_hash OR r.chunker <> %(chunker)s
    END
ORDER BY cp.page_id
LIMIT %(limit)s

-- name: count_due_for_chunking
SELECT count(*) AS pages
FROM cleaned_pages cp
JOIN raw_pages p ON p.id = cp.page_id AND p.status = 'live'
LEFT JOIN page_revisions r ON r.page_id = cp.page_id AND r.model_id = %(model_id)s AND r.state = 'live'
LEFT JOIN page_revisions s ON s.page_id = cp.page_id AND s.model_id = %(model_id)s AND s.state = 'staged'
WHERE cp.domain_id = %(domain_id)s
    AND CASE
        WHEN s.id IS NOT NULL THEN s.content_hash <> cp.content_hash OR s.chunker <> %(chunker)s
        WHEN cp.page_id = ANY (%(broken)s::bigint[]) THEN true
        ELSE r.id IS NULL OR r.content_hash <> cp.content_hash OR r.chunker <> %(chunker)s
    END
