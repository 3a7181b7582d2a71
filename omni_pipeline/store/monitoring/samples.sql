-- name: raw_pages
-- Paths: the site is said beside them, and whole URLs leave no room for what else there is.
-- Changed pages first: an unchanged one keeps the time at which its body arrived.
SELECT regexp_replace(url, '^https?://[^/]*', '') AS path, http_status, rendered_by, octet_length(html) AS bytes, fetched_at
FROM raw_pages
WHERE domain_id = %(domain_id)s AND status = 'live'
ORDER BY fetched_at DESC, id
LIMIT %(limit)s

-- name: cleaned_pages
SELECT regexp_replace(p.url, '^https?://[^/]*', '') AS path, cp.title, cp.language, length(cp.markdown) AS characters, cp.cleaned_at
FROM cleaned_pages cp
JOIN raw_pages p ON p.id = cp.page_id
WHERE cp.domain_id = %(domain_id)s
ORDER BY cp.cleaned_at DESC, cp.page_id
LIMIT %(limit)s

-- name: staged_chunks
SELECT regexp_replace(p.url, '^https?://[^/]*', '') AS path, sc.position, sc.token_count AS tokens,
    array_to_string(sc.heading_path, ' › ') AS heading_path, left(sc.text, %(characters)s) AS text
FROM page_revisions r
JOIN staged_chunks sc ON sc.revision_id = r.id
JOIN raw_pages p ON p.id = r.page_id
WHERE r.domain_id = %(domain_id)s AND r.state = 'staged'
ORDER BY r.id, sc.position
LIMIT %(limit)s

-- name: published_pages
SELECT regexp_replace(p.url, '^https?://[^/]*', '') AS path, r.title, r.language, r.chunk_count AS chunks, r.published_at
FROM page_revisions r
JOIN embedding_models m ON m.id = r.model_id AND m.status = 'active'
JOIN raw_pages p ON p.id = r.page_id
WHERE r.domain_id = %(domain_id)s AND r.state = 'live'
ORDER BY r.published_at DESC, r.id
LIMIT %(limit)s
