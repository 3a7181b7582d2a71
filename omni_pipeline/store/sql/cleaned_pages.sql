-- name: save
-- A text that says the same (its hash leaves out noise, such as times and counters) stays to the letter: the offsets
-- of its chunks are counted in it.
INSERT INTO cleaned_pages AS cp (page_id, domain_id, body_hash, content_hash, cleaner_version, title, description,
    language, canonical_url, markdown, fence)
SELECT page_id, %(domain_id)s, body_hash, content_hash, %(cleaner_version)s, title, description, language,
    canonical_url, markdown, %(fence)s
FROM unnest(%(page_ids)s::bigint[], %(body_hashes)s::bytea[], %(content_hashes)s::bytea[], %(titles)s::text[],
    %(descriptions)s::text[], %(languages)s::text[], %(canonical_urls)s::text[], %(markdowns)s::text[])
    AS c (page_id, body_hash, content_hash, title, description, language, canonical_url, markdown)
ORDER BY page_id
ON CONFLICT (page_id) DO UPDATE SET body_hash = excluded.body_hash, content_hash = excluded.content_hash,
    cleaner_version = excluded.cleaner_version, title = excluded.title, description = excluded.description,
    language = excluded.language, canonical_url = excluded.canonical_url,
    markdown = CASE WHEN cp.content_hash = excluded.content_hash THEN cp.markdown ELSE excluded.markdown END,
    fence = excluded.fence, cleaned_at = now()

-- name: held_hashes
SELECT page_id, content_hash FROM cleaned_pages WHERE page_id = ANY (%(page_ids)s)

-- name: remove
DELETE FROM cleaned_pages WHERE page_id = ANY (%(page_ids)s)

-- name: due_for_chunking
-- Pages whose text or chunking differs from both their live and their staged revision.
SELECT cp.page_id, p.url, cp.title, cp.language, cp.markdown, cp.content_hash
FROM cleaned_pages cp
JOIN raw_pages p ON p.id = cp.page_id AND p.status = 'live'
LEFT JOIN page_revisions r ON r.page_id = cp.page_id AND r.model_id = %(model_id)s AND r.state = 'live'
LEFT JOIN page_revisions s ON s.page_id = cp.page_id AND s.model_id = %(model_id)s AND s.state = 'staged'
WHERE cp.domain_id = %(domain_id)s AND cp.page_id > %(after_id)s
    AND CASE
        WHEN s.id IS NOT NULL THEN s.content_hash <> cp.content_hash OR s.chunker <> %(chunker)s
        ELSE r.id IS NULL OR r.content_hash <> cp.content_hash OR r.chunker <> %(chunker)s
    END
ORDER BY cp.page_id
LIMIT %(most)s

-- name: count_due_for_chunking
SELECT count(*) AS pages
FROM cleaned_pages cp
JOIN raw_pages p ON p.id = cp.page_id AND p.status = 'live'
LEFT JOIN page_revisions r ON r.page_id = cp.page_id AND r.model_id = %(model_id)s AND r.state = 'live'
LEFT JOIN page_revisions s ON s.page_id = cp.page_id AND s.model_id = %(model_id)s AND s.state = 'staged'
WHERE cp.domain_id = %(domain_id)s
    AND CASE
        WHEN s.id IS NOT NULL THEN s.content_hash <> cp.content_hash OR s.chunker <> %(chunker)s
        ELSE r.id IS NULL OR r.content_hash <> cp.content_hash OR r.chunker <> %(chunker)s
    END
