-- The standing invariants. Each query returns the rows that violate it, as (host, subject, detail): healthy is none.
-- Scope `always` holds in every committed snapshot, `quiet` for a domain without a running job.

-- name: I01_chunks_as_declared
-- always: a published page has exactly as many chunks as it declares
SELECT d.host, p.url AS subject, format('declares %%s chunks, has %%s', r.chunk_count, count(c.id)) AS detail
FROM page_revisions r JOIN raw_pages p ON p.id = r.page_id JOIN domains d ON d.id = r.domain_id
LEFT JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
WHERE r.state = 'live' GROUP BY d.host, p.url, r.id HAVING count(c.id) <> r.chunk_count

-- name: I02_chunks_have_embeddings
-- always: every published chunk has its vector
SELECT d.host, p.url AS subject, format('%%s of %%s chunks have no vector', count(*) FILTER (WHERE e.chunk_id IS NULL), count(*)) AS detail
FROM chunks c JOIN raw_pages p ON p.id = c.page_id JOIN domains d ON d.id = c.domain_id LEFT JOIN embeddings e ON e.chunk_id = c.id
GROUP BY d.host, p.url HAVING count(*) <> count(e.chunk_id)

-- name: I03_one_chunk_per_position
-- always: no two chunks stand at one position of a page
SELECT d.host, p.url AS subject, format('position %%s is taken %%s times', c.position, count(*)) AS detail
FROM chunks c JOIN raw_pages p ON p.id = c.page_id JOIN domains d ON d.id = c.domain_id
GROUP BY d.host, p.url, c.model_id, c.position HAVING count(*) > 1

-- name: I04_positions_without_holes
-- always: positions run from 0 without a hole (a hole is a lost chunk)
SELECT d.host, p.url AS subject, format('%%s chunks, positions %%s to %%s', count(*), min(c.position), max(c.position)) AS detail
FROM chunks c JOIN raw_pages p ON p.id = c.page_id JOIN domains d ON d.id = c.domain_id
GROUP BY d.host, p.url, c.model_id HAVING min(c.position) <> 0 OR max(c.position) <> count(*) - 1

-- name: I05_one_embedding_per_chunk
-- always: no chunk has two vectors
SELECT NULL::text AS host, chunk_id::text AS subject, format('%%s vectors', count(*)) AS detail
FROM embeddings GROUP BY chunk_id HAVING count(*) > 1

-- name: I06_embedding_has_chunk
-- always: no vector without its chunk
SELECT d.host, e.chunk_id::text AS subject, 'the chunk is missing' AS detail
FROM embeddings e LEFT JOIN chunks c ON c.id = e.chunk_id LEFT JOIN domains d ON d.id = e.domain_id WHERE c.id IS NULL

-- name: I07_chunk_has_published_page
-- always: no chunk without its page and its live revision
SELECT d.host, c.id::text AS subject, 'the page has no live revision' AS detail
FROM chunks c LEFT JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.state = 'live'
LEFT JOIN domains d ON d.id = c.domain_id WHERE r.id IS NULL

-- name: I08_same_domain_and_model
-- always: vector, chunk and page name the same domain and model
SELECT d.host, c.id::text AS subject, 'vector, chunk and page disagree about domain or model' AS detail
FROM chunks c JOIN raw_pages p ON p.id = c.page_id JOIN domains d ON d.id = p.domain_id LEFT JOIN embeddings e ON e.chunk_id = c.id
WHERE c.domain_id <> p.domain_id OR e.domain_id <> c.domain_id OR e.model_id <> c.model_id

-- name: I09_vector_of_this_text
-- always: the vector was computed from this very text
SELECT d.host, c.id::text AS subject, 'the vector belongs to another text' AS detail
FROM embeddings e JOIN chunks c ON c.id = e.chunk_id JOIN domains d ON d.id = c.domain_id WHERE e.text_hash <> c.text_hash

-- name: I10_text_matches_hash
-- always: the text is the one that was hashed (no torn or truncated write)
SELECT d.host, c.id::text AS subject, 'the text does not match its hash' AS detail
FROM chunks c JOIN domains d ON d.id = c.domain_id WHERE c.text_hash <> sha256(convert_to(c.text, 'UTF8'))

-- name: I11_published_text_is_current
-- quiet: what is published was made from the page's current text, or the difference is staged or a failure says why not
SELECT d.host, p.url AS subject, 'published from an older text' AS detail
FROM page_revisions r JOIN raw_pages p ON p.id = r.page_id AND p.status = 'live' JOIN domains d ON d.id = r.domain_id
JOIN embedding_models m ON m.id = r.model_id AND m.status = 'active' JOIN cleaned_pages cp ON cp.page_id = r.page_id
WHERE r.state = 'live' AND r.content_hash <> cp.content_hash
    AND NOT EXISTS (SELECT FROM page_revisions s WHERE s.page_id = r.page_id AND s.model_id = r.model_id AND s.state = 'staged')
    AND (SELECT j.finished_at FROM crawl_jobs j WHERE j.domain_id = d.id ORDER BY j.id DESC LIMIT 1) = d.last_success_at
    AND NOT EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = d.id AND f.url = p.url AND f.resolved_at IS NULL)

-- name: I12_cleaned_from_current_body
-- quiet: cleaned text belongs to the current body, or a failure says why not
SELECT d.host, p.url AS subject, 'cleaned from an older body' AS detail
FROM cleaned_pages cp JOIN raw_pages p ON p.id = cp.page_id JOIN domains d ON d.id = p.domain_id
WHERE p.status = 'live' AND cp.body_hash <> p.body_hash
    AND (SELECT j.finished_at FROM crawl_jobs j WHERE j.domain_id = d.id ORDER BY j.id DESC LIMIT 1) = d.last_success_at
    AND NOT EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = d.id AND f.url = p.url AND f.resolved_at IS NULL)

-- name: I13_live_page_is_published
-- quiet: every live page is published, or an open failure says why not (nothing is lost without a record)
SELECT d.host, p.url AS subject, 'live, but not published' AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id
WHERE p.status = 'live' AND (SELECT j.finished_at FROM crawl_jobs j WHERE j.domain_id = d.id ORDER BY j.id DESC LIMIT 1) = d.last_success_at
    AND NOT EXISTS (SELECT FROM page_revisions r JOIN embedding_models m ON m.id = r.model_id AND m.status = 'active'
        WHERE r.page_id = p.id AND r.state = 'live')
    AND NOT EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = d.id AND f.url = p.url AND f.resolved_at IS NULL)

-- name: I15_gone_page_is_not_searchable
-- always: a gone page has no text, chunk, vector or revision
SELECT d.host, p.url AS subject, 'gone, but still searchable' AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id
WHERE p.status = 'gone' AND (EXISTS (SELECT FROM chunks c WHERE c.page_id = p.id)
    OR EXISTS (SELECT FROM page_revisions r WHERE r.page_id = p.id) OR EXISTS (SELECT FROM cleaned_pages cp WHERE cp.page_id = p.id))

-- name: I16_gone_needs_evidence
-- always: only 404, 410 or a permanent redirect retires a page; a 5xx or a timeout never does
SELECT d.host, p.url AS subject, format('gone as %%s on HTTP status %%s', coalesce(p.gone_because, 'nothing'), p.http_status) AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id
WHERE p.status = 'gone' AND NOT coalesce(CASE p.gone_because WHEN 'missing' THEN p.http_status IN (404, 410)
    WHEN 'moved' THEN p.http_status IN (301, 308) ELSE p.http_status = 200 AND p.gone_because IS NOT NULL END, false)

-- name: I17_one_row_per_url
-- always: a URL of a domain has one row
SELECT d.host, p.url AS subject, format('%%s rows', count(*)) AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id GROUP BY d.host, p.url HAVING count(*) > 1

-- name: I18_canonical_urls
-- always: URLs are canonical: http(s), lower-case host, no fragment, no user, no default port, on their own domain
SELECT d.host, p.url AS subject, 'not canonical, or not on this domain' AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id
WHERE p.url !~ '^https?://[a-z0-9.\-]+(:[0-9]+)?/' AND p.url !~ '^https?://\[[0-9a-f:]+\](:[0-9]+)?/'
    OR p.url ~ '#' OR p.url ~ '^https?://[^/]*@' OR p.url ~ '^http://[^/]*:80/' OR p.url ~ '^https://[^/]*:443/'
    OR regexp_replace(regexp_replace(p.url, '^https?://([^/]+)/.*$', '\1'), '^www\.', '') <> regexp_replace(d.host, '^www\.', '')

-- name: I19_live_page_has_body
-- always: a live page has a body, its hash and a time of success
SELECT d.host, p.url AS subject, 'live without a body' AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id
WHERE p.status = 'live' AND (p.html IS NULL OR p.body_hash IS NULL OR p.http_status <> 200)

-- name: I20_one_running_job_per_domain
-- always: a domain has at most one running job
SELECT host, count(*)::text AS subject, 'running jobs' AS detail
FROM crawl_jobs WHERE status = 'running' GROUP BY host, domain_id HAVING count(*) > 1

-- name: I21_running_job_beats
-- always: no running job has been silent for two leases (the reaper is alive)
SELECT host, format('job %%s', id) AS subject, format('last beat at %%s', heartbeat_at) AS detail
FROM crawl_jobs WHERE status = 'running' AND heartbeat_at < now() - make_interval(secs => 2 * %(lease_seconds)s)

-- name: I22_job_states_and_times
-- always: a job's status and its times agree
SELECT host, format('job %%s', id) AS subject, status AS detail FROM crawl_jobs
WHERE (status = 'running' AND (started_at IS NULL OR heartbeat_at IS NULL OR finished_at IS NOT NULL))
    OR (status IN ('completed', 'failed') AND finished_at IS NULL)
    OR finished_at < started_at OR heartbeat_at < started_at OR heartbeat_at > clock_timestamp() + interval '5 seconds'

-- name: I23_running_job_has_domain
-- always: no job runs for a domain that is gone
SELECT j.host, format('job %%s', j.id) AS subject, 'its domain is gone' AS detail
FROM crawl_jobs j LEFT JOIN domains d ON d.id = j.domain_id WHERE j.status = 'running' AND d.id IS NULL

-- name: I24_fences_unique_and_issued
-- always: a fence is issued once, and none is ahead of its domain
SELECT d.host, format('fence %%s', j.fence) AS subject, format('%%s jobs; the domain is at %%s', count(*), d.fence) AS detail
FROM crawl_jobs j JOIN domains d ON d.id = j.domain_id GROUP BY d.host, d.fence, j.fence HAVING count(*) > 1 OR j.fence > d.fence

-- name: I25_nobody_wrote_with_unissued_fence
-- always: every row was written with a fence that its domain had issued
SELECT d.host, p.url AS subject, 'written with a fence that was never issued' AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id LEFT JOIN cleaned_pages cp ON cp.page_id = p.id
LEFT JOIN page_revisions r ON r.page_id = p.id
WHERE p.fence > d.fence OR cp.fence > d.fence OR r.fence > d.fence

-- name: I27_one_job_per_tick
-- always: one job per domain and schedule tick
SELECT host, scheduled_for::text AS subject, format('%%s jobs', count(*)) AS detail
FROM crawl_jobs WHERE scheduled_for IS NOT NULL AND domain_id IS NOT NULL GROUP BY host, domain_id, scheduled_for HAVING count(*) > 1

-- name: I28_pages_are_accounted_for
-- always: a completed job accounts for every page it discovered
SELECT host, format('job %%s', id) AS subject,
    format('discovered %%s, accounted for %%s', pages_discovered, pages_changed + pages_unchanged + pages_gone + pages_failed + pages_skipped) AS detail
FROM crawl_jobs WHERE status = 'completed'
    AND pages_discovered <> pages_changed + pages_unchanged + pages_gone + pages_failed + pages_skipped

-- name: I30_failures_are_scheduled_or_permanent
-- always: an open failure is tried again or says that it is permanent
SELECT d.host, f.url AS subject, f.error_kind AS detail
FROM failed_pages f JOIN domains d ON d.id = f.domain_id
WHERE f.resolved_at IS NULL AND f.next_try_at IS NULL AND f.error_kind NOT LIKE 'permanent.%%'

-- name: I31_no_secret_in_errors
-- always: no stored error shows a key, a token or a password
SELECT d.host, f.url AS subject, 'the stored error looks like it shows a secret' AS detail
FROM failed_pages f JOIN domains d ON d.id = f.domain_id
WHERE f.error ~* '(\msk-[a-z0-9_-]{12,}|bearer\s+[a-z0-9._-]{12,}|://[^/\s:]+:[^/\s@*]+@|password\s*=\s*[^\s*])'
UNION ALL
SELECT host, format('job %%s', id), 'the stored error looks like it shows a secret' FROM crawl_jobs
WHERE error ~* '(\msk-[a-z0-9_-]{12,}|bearer\s+[a-z0-9._-]{12,}|://[^/\s:]+:[^/\s@*]+@|password\s*=\s*[^\s*])'

-- name: I32_vectors_are_usable
-- always: no zero vector, and every vector has its model's dimensions
SELECT d.host, e.chunk_id::text AS subject, 'zero vector or wrong dimensions' AS detail
FROM embeddings e JOIN embedding_models m ON m.id = e.model_id LEFT JOIN domains d ON d.id = e.domain_id
WHERE vector_dims(e.embedding) <> m.dimensions OR l2_norm(e.embedding) = 0

-- name: I33_different_texts_have_different_vectors
-- always: two long texts of a page do not share one vector bit by bit (a stuck or mixed-up answer); models
-- read past case, accents and white space, so texts that differ in nothing else may
SELECT d.host, p.url AS subject, format('chunks %%s and %%s', a.id, b.id) AS detail
FROM chunks a JOIN chunks b ON b.page_id = a.page_id AND b.model_id = a.model_id AND b.id > a.id AND b.text_hash <> a.text_hash
JOIN embeddings ea ON ea.chunk_id = a.id JOIN embeddings eb ON eb.chunk_id = b.id AND eb.embedding = ea.embedding
JOIN raw_pages p ON p.id = a.page_id JOIN domains d ON d.id = a.domain_id
JOIN embedding_models m ON m.id = a.model_id AND NOT m.is_lexical
WHERE length(a.text) >= 40 AND length(b.text) >= 40
    AND regexp_replace(lower(normalize(a.text, NFD)), '[\s\u0300-\u036F]', '', 'g')
        <> regexp_replace(lower(normalize(b.text, NFD)), '[\s\u0300-\u036F]', '', 'g')

-- name: I34_one_chunking_per_domain
-- quiet: the published pages of a domain were cut by one chunker
SELECT d.host, string_agg(DISTINCT r.chunker, ', ') AS subject, 'several chunkings' AS detail
FROM page_revisions r JOIN domains d ON d.id = r.domain_id JOIN raw_pages p ON p.id = r.page_id
WHERE r.state = 'live' AND (SELECT j.finished_at FROM crawl_jobs j WHERE j.domain_id = d.id ORDER BY j.id DESC LIMIT 1) = d.last_success_at
    AND NOT EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = d.id AND f.url = p.url AND f.resolved_at IS NULL)
GROUP BY d.host, r.model_id HAVING count(DISTINCT r.chunker) > 1

-- name: I41_text_is_clean
-- always: no control characters, noncharacters or invisible tag characters in chunks
SELECT d.host, c.id::text AS subject, 'control or tag characters' AS detail
FROM chunks c JOIN domains d ON d.id = c.domain_id
WHERE c.text ~ '[\x01-\x08\x0B\x0C\x0E-\x1F\x7F]' OR c.text ~ '[\U000E0000-\U000E007F]' OR c.text ~ '[\uFFFE\uFFFF]'

-- name: I42_chunk_fits_the_model
-- always: no chunk is longer than any known model's input
SELECT d.host, c.id::text AS subject, format('%%s tokens', c.token_count) AS detail
FROM chunks c JOIN domains d ON d.id = c.domain_id WHERE c.token_count > 8192
