-- The standing invariants. Each query returns the rows that violate it, as (host, subject, detail): healthy is none.
-- A query that is named for a table looks at several invariants in one pass over it: it says first which one a row
-- breaks, and a row that breaks several is told for the first of them.
--
-- When: `always` holds in every committed snapshot, `quiet` for a domain whose newest refresh completed whole.
-- Where: `by domain` looks at the domains it is given (`domain_ids`, or `quiet_ids` among them) and at no other, so that
-- a look at some domains finds what a look at all of them finds there; `everywhere` is cheap and always looks at all.
-- What reads long texts may be told `since` when: no row that was written before that transaction is read again. Without
-- it `age` must not be asked at all, or Postgres would read with one process only.
--
-- Identifiers are compared first and named last: a join of all chunks with their page's URL would cost more than the look.
-- Where two tables are joined, both are restricted to the domains, although one follows from the other: the planner does
-- not draw that conclusion, and would read all of the second.

-- name: page_revisions
-- I01_chunks_as_declared, always, by domain: a published page has exactly as many chunks as it declares
-- I03_one_chunk_per_position, always, by domain: no two chunks stand at one position of a page
-- I04_positions_without_holes, always, by domain: positions run from 0 without a hole (a hole is a lost chunk)
SELECT w.invariant, d.host, p.url AS subject,
    format('declares %%s chunks, has %%s at %%s positions, %%s to %%s', w.chunk_count, w.chunks, w.positions, w.first, w.last) AS detail
FROM (
    SELECT r.page_id, r.chunk_count, count(c.page_id) AS chunks, count(DISTINCT c.position) AS positions,
        min(c.position) AS first, max(c.position) AS last, CASE
        WHEN count(DISTINCT c.position) <> count(c.page_id) THEN 'I03_one_chunk_per_position'
        WHEN min(c.position) <> 0 OR max(c.position) <> count(c.page_id) - 1 THEN 'I04_positions_without_holes'
        WHEN count(c.page_id) <> r.chunk_count THEN 'I01_chunks_as_declared'
    END AS invariant
    FROM page_revisions r LEFT JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
    WHERE r.domain_id = ANY (%(domain_ids)s) AND r.state = 'live'
    GROUP BY r.id
) w JOIN raw_pages p ON p.id = w.page_id JOIN domains d ON d.id = p.domain_id
WHERE w.invariant IS NOT NULL

-- name: chunks
-- I02_chunks_have_embeddings, always, by domain: every published chunk has its vector
-- I06_embedding_has_chunk, always, by domain: no vector without its chunk
-- I07_chunk_has_published_page, always, by domain: no chunk without its page and its live revision
-- I08_same_domain_and_model, always, by domain: vector, chunk and page name the same domain and model
-- I09_vector_of_this_text, always, by domain: the vector was computed from this very text
-- I32_vectors_are_usable, always, by domain: no zero vector, and every vector has its model's dimensions
-- I42_chunk_fits_the_model, always, by domain: no chunk is longer than any known model's input
-- I50_chunks_have_words, always, by domain: every published chunk has its words, and no words are left of another
SELECT w.invariant, d.host, w.chunk_id::text AS subject,
    coalesce((SELECT p.url FROM raw_pages p WHERE p.id = w.page_id), 'of no page that is there') AS detail
FROM (
    SELECT coalesce(c.id, e.chunk_id, t.chunk_id) AS chunk_id, c.page_id,
        coalesce(c.domain_id, e.domain_id, t.domain_id) AS domain_id, CASE
        WHEN c.id IS NULL AND e.chunk_id IS NULL THEN 'I50_chunks_have_words'
        WHEN c.id IS NULL AND EXISTS (SELECT FROM chunks o WHERE o.id = e.chunk_id) THEN 'I08_same_domain_and_model'
        WHEN c.id IS NULL THEN 'I06_embedding_has_chunk'
        WHEN e.chunk_id IS NULL THEN 'I02_chunks_have_embeddings'
        WHEN r.id IS NULL THEN 'I07_chunk_has_published_page'
        WHEN e.model_id <> c.model_id THEN 'I08_same_domain_and_model'
        WHEN e.text_hash <> c.text_hash THEN 'I09_vector_of_this_text'
        WHEN NOT e.is_usable THEN 'I32_vectors_are_usable'
        WHEN c.token_count > 8192 THEN 'I42_chunk_fits_the_model'
        WHEN t.chunk_id IS NULL OR t.page_id <> c.page_id THEN 'I50_chunks_have_words'
    END AS invariant
    FROM (SELECT * FROM chunks WHERE domain_id = ANY (%(domain_ids)s)) c
    FULL JOIN (
        -- coalesce, so that this is evaluated here, and no vector travels through the join.
        SELECT v.chunk_id, v.domain_id, v.model_id, v.text_hash,
            coalesce(l2_norm(v.embedding) > 0 AND vector_dims(v.embedding) = m.dimensions, false) AS is_usable
        FROM embeddings v LEFT JOIN embedding_models m ON m.id = v.model_id
        WHERE v.domain_id = ANY (%(domain_ids)s)
    ) e ON e.chunk_id = c.id AND e.domain_id = c.domain_id
    FULL JOIN (SELECT chunk_id, page_id, domain_id FROM chunk_words WHERE domain_id = ANY (%(domain_ids)s)) t
        ON t.chunk_id = c.id AND t.domain_id = c.domain_id
    LEFT JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.state = 'live'
        AND r.domain_id = c.domain_id AND r.domain_id = ANY (%(domain_ids)s)
) w JOIN domains d ON d.id = w.domain_id
WHERE w.invariant IS NOT NULL

-- name: texts
-- I10_text_matches_hash, always, by domain: the text is the one that was hashed (no torn or truncated write)
-- I41_text_is_clean, always, by domain: no control characters, noncharacters or invisible tag characters in chunks
SELECT w.invariant, d.host, w.id::text AS subject,
    coalesce((SELECT p.url FROM raw_pages p WHERE p.id = w.page_id), 'a page that is not there') AS detail
FROM (
    SELECT c.id, c.page_id, c.domain_id, CASE
        WHEN c.text_hash <> sha256(convert_to(c.text, 'UTF8')) THEN 'I10_text_matches_hash'
        WHEN c.text ~ '[\x01-\x08\x0B\x0C\x0E-\x1F\x7F\uFFFE\uFFFF\U000E0000-\U000E007F]' THEN 'I41_text_is_clean'
    END AS invariant
    FROM chunks c
    WHERE c.domain_id = ANY (%(domain_ids)s) AND (%(since)s::xid8 IS NULL OR age(c.xmin) <= age(%(since)s::xid8::xid))
) w JOIN domains d ON d.id = w.domain_id
WHERE w.invariant IS NOT NULL

-- name: I05_one_embedding_per_chunk
-- always, by domain: no chunk has two vectors; looked for where a model has more vectors than chunks of the domain, as else
-- one would be missing, which is I02
WITH crowded AS (
    SELECT domain_id, model_id
    FROM (SELECT domain_id, model_id, count(*) AS vectors FROM embeddings
        WHERE domain_id = ANY (%(domain_ids)s) GROUP BY domain_id, model_id) e
    LEFT JOIN (SELECT domain_id, model_id, count(*) AS chunks FROM chunks
        WHERE domain_id = ANY (%(domain_ids)s) GROUP BY domain_id, model_id) c USING (domain_id, model_id)
    WHERE vectors > coalesce(chunks, 0)
)
SELECT d.host, e.chunk_id::text AS subject, format('%%s vectors', count(*)) AS detail
FROM crowded w JOIN embeddings e USING (domain_id, model_id) JOIN domains d ON d.id = e.domain_id
GROUP BY d.host, e.chunk_id HAVING count(*) > 1

-- name: raw_pages
-- I08_same_domain_and_model, always, by domain: text, revision and page name the same domain
-- I15_gone_page_is_not_searchable, always, by domain: a gone page has no text, and nothing of it waits to be published
-- I16_gone_needs_evidence, always, by domain: only 404, 410, a permanent redirect or the page itself retires a page; a 5xx or a timeout never does
-- I18_canonical_urls, always, by domain: URLs are canonical: http(s), lower-case host, no fragment, no user, no default port, on their own domain
-- I19_live_page_has_body, always, by domain: a live page has a body and its hash, and was answered with 200
-- I25_nobody_wrote_with_unissued_fence, always, by domain: every row was written with a fence that its domain had issued
-- I45_rendered_page_has_no_validators, always, by domain: what a browser showed is never compared by the validators of its HTML
SELECT w.invariant, w.host, w.url AS subject, format('%%s %%s, HTTP status %%s', w.status, coalesce(w.gone_because, ''), w.http_status) AS detail
FROM (
    SELECT d.host, p.url, p.status, p.gone_because, p.http_status, CASE
        WHEN cp.domain_id <> p.domain_id
            OR EXISTS (SELECT FROM page_revisions r WHERE r.page_id = p.id AND r.domain_id <> p.domain_id)
            THEN 'I08_same_domain_and_model'
        WHEN p.status = 'gone' AND (cp.page_id IS NOT NULL
            OR EXISTS (SELECT FROM page_revisions r WHERE r.page_id = p.id AND r.state = 'staged'))
            THEN 'I15_gone_page_is_not_searchable'
        WHEN p.status = 'gone' AND NOT coalesce(CASE p.gone_because WHEN 'missing' THEN p.http_status IN (404, 410)
            WHEN 'moved' THEN p.http_status IN (301, 308) ELSE p.http_status = 200 AND p.gone_because IS NOT NULL END, false)
            THEN 'I16_gone_needs_evidence'
        WHEN p.url !~ '^https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]+)?/[^#]*$' OR p.url ~ '^http(://[^/]*:80|s://[^/]*:443)/'
            OR replace(split_part(p.url, '/', 3), 'www.', '') <> replace(d.host, 'www.', '') THEN 'I18_canonical_urls'
        WHEN p.status = 'live' AND (p.html IS NULL OR p.body_hash IS NULL OR p.http_status <> 200) THEN 'I19_live_page_has_body'
        WHEN p.fence > d.fence OR cp.fence > d.fence
            OR EXISTS (SELECT FROM page_revisions r WHERE r.page_id = p.id AND r.fence > d.fence)
            THEN 'I25_nobody_wrote_with_unissued_fence'
        WHEN p.rendered_by = 'browser' AND (p.etag IS NOT NULL OR p.last_modified IS NOT NULL)
            THEN 'I45_rendered_page_has_no_validators'
    END AS invariant
    FROM raw_pages p JOIN domains d ON d.id = p.domain_id LEFT JOIN cleaned_pages cp ON cp.page_id = p.id
    WHERE p.domain_id = ANY (%(domain_ids)s)
) w
WHERE w.invariant IS NOT NULL

-- name: live_pages
-- I11_published_text_is_current, quiet, by domain: what is published was made from the page's current text, or the difference is staged or a failure says why not
-- I12_cleaned_from_current_body, quiet, by domain: cleaned text belongs to the current body, or a failure says why not
-- I13_live_page_is_published, quiet, by domain: every live page is published, or an open failure says why not (nothing is lost without a record)
SELECT w.invariant, d.host, w.url AS subject, 'and no failure says why' AS detail
FROM (
    SELECT p.domain_id, p.url, CASE
        WHEN r.id IS NULL THEN 'I13_live_page_is_published'
        WHEN cp.body_hash <> p.body_hash THEN 'I12_cleaned_from_current_body'
        WHEN cp.content_hash <> r.content_hash AND NOT EXISTS (SELECT FROM page_revisions s
            WHERE s.page_id = p.id AND s.model_id = r.model_id AND s.state = 'staged') THEN 'I11_published_text_is_current'
    END AS invariant
    FROM raw_pages p
    LEFT JOIN embedding_models m ON m.status = 'active'
    LEFT JOIN page_revisions r ON r.page_id = p.id AND r.model_id = m.id AND r.state = 'live'
        AND r.domain_id = p.domain_id AND r.domain_id = ANY (%(quiet_ids)s)
    LEFT JOIN cleaned_pages cp ON cp.page_id = p.id
    WHERE p.domain_id = ANY (%(quiet_ids)s) AND p.status = 'live'
) w JOIN domains d ON d.id = w.domain_id
WHERE w.invariant IS NOT NULL
    AND NOT EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = d.id AND f.url = w.url AND f.resolved_at IS NULL)

-- name: I51_gone_page_has_left_the_index
-- quiet, by domain: search finds a gone page no longer, unless what replaces it is not published yet
SELECT d.host, p.url AS subject, 'gone, and still published' AS detail
FROM raw_pages p JOIN domains d ON d.id = p.domain_id JOIN embedding_models m ON m.status = 'active'
WHERE p.domain_id = ANY (%(quiet_ids)s) AND p.status = 'gone'
    AND (EXISTS (SELECT FROM chunks c WHERE c.page_id = p.id AND c.model_id = m.id)
        OR EXISTS (SELECT FROM page_revisions r WHERE r.page_id = p.id AND r.model_id = m.id))
    AND is_replaced(p, m.id)

-- name: I14_confirmed_losses_are_believed
-- quiet, by domain: what a person confirmed before a refresh is not held after it, unless more waits for a person
SELECT d.host, h.url AS subject, format('still held as %%s', h.reason) AS detail
FROM held_pages h JOIN domains d ON d.id = h.domain_id
CROSS JOIN LATERAL (SELECT j.started_at FROM crawl_jobs j WHERE j.domain_id = d.id AND j.job_type = 'full'
    ORDER BY j.fence DESC LIMIT 1) j
WHERE h.domain_id = ANY (%(quiet_ids)s) AND h.confirmed_at < j.started_at
    AND NOT EXISTS (SELECT FROM held_pages o WHERE o.domain_id = d.id AND o.confirmed_at IS NULL)

-- name: I17_one_row_per_url
-- always, by domain: a URL of a domain has one row
SELECT d.host, w.url AS subject, format('%%s rows', w.pages) AS detail
FROM (
    SELECT p.domain_id, p.url, count(*) AS pages FROM raw_pages p
    WHERE p.domain_id = ANY (%(domain_ids)s) GROUP BY p.domain_id, p.url HAVING count(*) > 1
) w JOIN domains d ON d.id = w.domain_id

-- name: I20_one_running_job_per_domain
-- always, everywhere: a domain has at most one running job
SELECT host, count(*)::text AS subject, 'running jobs' AS detail
FROM crawl_jobs WHERE status = 'running' GROUP BY host, domain_id HAVING count(*) > 1

-- name: I21_running_job_beats
-- always, everywhere: no running job has been silent for two leases (the reaper is alive)
SELECT host, format('job %%s', id) AS subject, format('last beat at %%s', heartbeat_at) AS detail
FROM crawl_jobs WHERE status = 'running' AND heartbeat_at < now() - make_interval(secs => 2 * %(lease_seconds)s)

-- name: I22_job_states_and_times
-- always, everywhere: a job's status and its times agree
SELECT host, format('job %%s', id) AS subject, status AS detail FROM crawl_jobs
WHERE (status = 'running' AND (started_at IS NULL OR heartbeat_at IS NULL OR finished_at IS NOT NULL))
    OR (status IN ('completed', 'failed') AND finished_at IS NULL)
    OR finished_at < started_at

-- name: I23_running_job_has_domain
-- always, everywhere: no job runs for a domain that is gone
SELECT j.host, format('job %%s', j.id) AS subject, 'its domain is gone' AS detail
FROM crawl_jobs j LEFT JOIN domains d ON d.id = j.domain_id WHERE j.status = 'running' AND d.id IS NULL

-- name: I24_fences_unique_and_issued
-- always, everywhere: a fence is issued once, and none is ahead of its domain
SELECT d.host, format('fence %%s', j.fence) AS subject, format('%%s jobs; the domain is at %%s', count(*), d.fence) AS detail
FROM crawl_jobs j JOIN domains d ON d.id = j.domain_id GROUP BY d.host, d.fence, j.fence HAVING count(*) > 1 OR j.fence > d.fence

-- name: I26_nobody_wrote_after_the_end
-- always, by domain: no run wrote once its job had ended (five seconds are left to a clock that was set back)
SELECT j.host, (SELECT p.url FROM raw_pages p WHERE p.id = w.page_id) AS subject,
    format('job %%s wrote %%s after its end', j.id, w.written_at - j.finished_at) AS detail
FROM (
    SELECT p.id AS page_id, p.domain_id, p.fence, p.checked_at AS written_at FROM raw_pages p
    UNION ALL
    SELECT cp.page_id, cp.domain_id, cp.fence, cp.cleaned_at FROM cleaned_pages cp
    UNION ALL
    SELECT r.page_id, r.domain_id, r.fence, coalesce(r.published_at, r.staged_at) FROM page_revisions r
) w JOIN crawl_jobs j ON j.domain_id = w.domain_id AND j.fence = w.fence
WHERE w.domain_id = ANY (%(domain_ids)s) AND w.written_at > j.finished_at + interval '5 seconds'

-- name: I27_one_job_per_tick
-- always, everywhere: one job per domain and schedule tick
SELECT host, scheduled_for::text AS subject, format('%%s jobs', count(*)) AS detail
FROM crawl_jobs WHERE scheduled_for IS NOT NULL AND domain_id IS NOT NULL GROUP BY host, domain_id, scheduled_for HAVING count(*) > 1

-- name: I28_pages_are_accounted_for
-- always, everywhere: a completed job accounts for every page it discovered
SELECT host, format('job %%s', id) AS subject,
    format('discovered %%s, accounted for %%s', pages_discovered, pages_changed + pages_unchanged + pages_gone + pages_failed + pages_skipped) AS detail
FROM crawl_jobs WHERE status = 'completed'
    AND pages_discovered <> pages_changed + pages_unchanged + pages_gone + pages_failed + pages_skipped

-- name: I29_failures_are_on_record
-- quiet, by domain: each page that the newest job says has failed left a record (older ones pass theirs on to the newest)
SELECT d.host, format('job %%s', j.id) AS subject, format('says that %%s pages failed, left %%s records', j.pages_failed, f.pages) AS detail
FROM domains d
CROSS JOIN LATERAL (SELECT j.id, j.pages_failed FROM crawl_jobs j WHERE j.domain_id = d.id AND j.job_type = 'full'
    ORDER BY j.fence DESC LIMIT 1) j
CROSS JOIN LATERAL (SELECT count(DISTINCT f.url) AS pages FROM failed_pages f WHERE f.job_id = j.id AND f.stage = 'fetch') f
WHERE d.id = ANY (%(quiet_ids)s) AND f.pages < j.pages_failed

-- name: I30_failures_are_scheduled_or_permanent
-- always, by domain: an open failure is tried again or says that it is permanent
SELECT d.host, f.url AS subject, f.error_kind AS detail
FROM failed_pages f JOIN domains d ON d.id = f.domain_id
WHERE f.domain_id = ANY (%(domain_ids)s) AND f.resolved_at IS NULL AND f.next_try_at IS NULL AND f.error_kind NOT LIKE 'permanent.%%'

-- name: I31_no_secret_in_errors
-- always, by domain: no stored failure shows a key, a token or a password
SELECT d.host, f.url AS subject, 'the stored error looks like it shows a secret' AS detail
FROM failed_pages f JOIN domains d ON d.id = f.domain_id
WHERE f.domain_id = ANY (%(domain_ids)s) AND (%(since)s::xid8 IS NULL OR age(f.xmin) <= age(%(since)s::xid8::xid))
    AND f.error ~* '(\msk-[a-z0-9_-]{12,}|bearer\s+[a-z0-9._-]{12,}|://[^/\s:]+:[^/\s@*]+@|password\s*=\s*[^\s*])'

-- name: ledgers
-- I31_no_secret_in_errors, always, everywhere: no error of a job or of an endpoint shows a key, a token or a password
SELECT 'I31_no_secret_in_errors' AS invariant, e.host, e.subject, 'the stored error looks like it shows a secret' AS detail
FROM (
    SELECT host, format('job %%s', id) AS subject, error FROM crawl_jobs
    UNION ALL
    SELECT NULL, endpoint, error FROM provider_breakers
) e
WHERE e.error ~* '(\msk-[a-z0-9_-]{12,}|bearer\s+[a-z0-9._-]{12,}|://[^/\s:]+:[^/\s@*]+@|password\s*=\s*[^\s*])'

-- name: I33_different_texts_have_different_vectors
-- always, by domain: two long texts of a page do not share one vector bit by bit (a stuck or mixed-up answer); models
-- read past case, accents and white space, so texts that differ in nothing else may. Equal vectors have equal norms: few
-- vectors of a domain share theirs, and only those are compared.
WITH alike AS (
    SELECT e.model_id, e.domain_id, l2_norm(e.embedding) AS norm
    FROM embeddings e JOIN embedding_models m ON m.id = e.model_id AND NOT m.is_lexical
    WHERE e.domain_id = ANY (%(domain_ids)s)
    GROUP BY e.model_id, e.domain_id, l2_norm(e.embedding)
    HAVING count(*) > 1 AND bool_or((%(since)s::xid8 IS NULL OR age(e.xmin) <= age(%(since)s::xid8::xid)))
), members AS MATERIALIZED (
    SELECT c.id, c.page_id, c.model_id, c.text_hash, e.embedding,
        regexp_replace(lower(normalize(c.text, NFD)), '[\s\u0300-\u036F]', '', 'g') AS letters
    FROM alike s
    JOIN embeddings e ON e.model_id = s.model_id AND e.domain_id = s.domain_id AND l2_norm(e.embedding) = s.norm
    JOIN chunks c ON c.id = e.chunk_id
    WHERE length(c.text) >= 40
)
SELECT d.host, p.url AS subject, format('chunks %%s and %%s', a.id, b.id) AS detail
FROM members a
JOIN members b ON b.page_id = a.page_id AND b.model_id = a.model_id AND b.id > a.id
    AND b.text_hash <> a.text_hash AND b.embedding = a.embedding AND b.letters <> a.letters
JOIN raw_pages p ON p.id = a.page_id JOIN domains d ON d.id = p.domain_id

-- name: I34_one_chunking_per_domain
-- quiet, by domain: what search answers with of a domain was cut by one chunker
SELECT d.host, format('%%s, %%s', min(r.chunker), max(r.chunker)) AS subject, 'several chunkings' AS detail
FROM page_revisions r JOIN domains d ON d.id = r.domain_id JOIN raw_pages p ON p.id = r.page_id
JOIN embedding_models m ON m.id = r.model_id AND m.status = 'active'
WHERE r.domain_id = ANY (%(quiet_ids)s) AND r.state = 'live'
    AND NOT EXISTS (SELECT FROM failed_pages f WHERE f.domain_id = d.id AND f.url = p.url AND f.resolved_at IS NULL)
GROUP BY d.host HAVING min(r.chunker) <> max(r.chunker)

-- name: I35_current_price_is_newest_snapshot
-- always, by domain: a product's current price and availability are those of its newest snapshot
SELECT d.host, format('product %%s', p.id) AS subject,
    format('shows %%s, its newest snapshot %%s', (p.current_price_amount, p.current_price_currency, p.current_availability),
        (s.price_amount, s.price_currency, s.availability)) AS detail
FROM products p JOIN domains d ON d.id = p.domain_id
LEFT JOIN LATERAL (SELECT * FROM price_snapshots s WHERE s.product_id = p.id ORDER BY s.job_id DESC LIMIT 1) s ON true
WHERE p.domain_id = ANY (%(domain_ids)s)
    AND (p.current_price_kind, p.current_price_amount, p.current_price_currency, p.current_availability)
        IS DISTINCT FROM (s.price_kind, s.price_amount, s.price_currency, s.availability)

-- name: I36_one_snapshot_per_job
-- always, by domain: a job adds at most one snapshot of a product, however often it was tried
SELECT d.host, format('product %%s', s.product_id) AS subject, format('%%s snapshots of job %%s', count(*), s.job_id) AS detail
FROM price_snapshots s JOIN domains d ON d.id = s.domain_id
WHERE s.domain_id = ANY (%(domain_ids)s) GROUP BY d.host, s.product_id, s.job_id HAVING count(*) > 1

-- name: I37_prices_are_sane
-- always, by domain: prices are numbers that are not negative, currencies look like ISO 4217, and each has its product
SELECT d.host, format('product %%s', s.product_id) AS subject,
    format('%%s %%s', s.price_amount, s.price_currency) AS detail
FROM price_snapshots s JOIN domains d ON d.id = s.domain_id LEFT JOIN products p ON p.id = s.product_id
WHERE s.domain_id = ANY (%(domain_ids)s) AND (NOT s.price_amount BETWEEN 0 AND 1e12
    OR s.price_currency !~ '^[A-Z]{3}$' OR p.domain_id IS DISTINCT FROM s.domain_id)

-- name: I38_listed_product_has_a_live_page
-- always, by domain: a listed product sits on a live page of its own domain
SELECT d.host, format('product %%s', p.id) AS subject, format('listed on page %%s, which is not live', p.page_id) AS detail
FROM products p JOIN domains d ON d.id = p.domain_id LEFT JOIN raw_pages r ON r.id = p.page_id
WHERE p.domain_id = ANY (%(domain_ids)s) AND p.status = 'listed'
    AND (r.status IS DISTINCT FROM 'live' OR r.domain_id <> p.domain_id)

-- name: I39_active_domain_is_fresh
-- always, everywhere: a domain that is not paused was refreshed within the window, or a job of that time says why not
SELECT d.host, d.host AS subject, format('last refreshed at %%s, and not tried since', coalesce(d.last_success_at::text, 'no time')) AS detail
FROM domains d
WHERE d.status = 'active' AND greatest(d.created_at, d.last_success_at) < now() - make_interval(secs => %(fresh_hours)s::float8 * 3600)
    AND NOT EXISTS (SELECT FROM crawl_jobs j WHERE j.domain_id = d.id
        AND coalesce(j.finished_at, now()) > now() - make_interval(secs => %(fresh_hours)s::float8 * 3600))

-- name: I40_no_mass_loss_without_a_person
-- quiet, by domain: the newest job did not retire 10 pages or more, and over 30 %% of the domain, that nobody confirmed
SELECT d.host, format('job %%s', j.id) AS subject, format('%%s pages retired, %%s confirmed, %%s left', p.retired, j.pages_confirmed, p.live) AS detail
FROM domains d
CROSS JOIN LATERAL (SELECT j.id, j.fence, j.pages_confirmed FROM crawl_jobs j WHERE j.domain_id = d.id AND j.job_type = 'full'
    ORDER BY j.fence DESC LIMIT 1) j
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE p.status = 'live') AS live, count(*) FILTER (WHERE p.status = 'gone' AND p.fence = j.fence
        AND p.gone_because NOT IN ('moved', 'duplicate')) AS retired
    FROM raw_pages p WHERE p.domain_id = d.id
) p
WHERE d.id = ANY (%(quiet_ids)s) AND p.retired - j.pages_confirmed >= 10
    AND p.retired - j.pages_confirmed > 0.3 * (p.live + p.retired)

-- name: I43_staged_chunk_has_revision
-- always, everywhere: no staged chunk without its staged revision
SELECT d.host, format('revision %%s', s.revision_id) AS subject, 'its staged chunks are left over' AS detail
FROM (SELECT DISTINCT revision_id FROM staged_chunks) s
LEFT JOIN page_revisions r ON r.id = s.revision_id LEFT JOIN domains d ON d.id = r.domain_id
WHERE r.state IS DISTINCT FROM 'staged'

-- name: I44_staged_as_declared
-- always, by domain: a staged revision has exactly as many chunks as it declares
SELECT d.host, p.url AS subject, format('declares %%s staged chunks, has %%s', r.chunk_count, s.chunks) AS detail
FROM page_revisions r JOIN raw_pages p ON p.id = r.page_id JOIN domains d ON d.id = r.domain_id
CROSS JOIN LATERAL (SELECT count(*) AS chunks FROM staged_chunks s WHERE s.revision_id = r.id) s
WHERE r.domain_id = ANY (%(domain_ids)s) AND r.state = 'staged' AND s.chunks <> r.chunk_count

-- name: I46_held_page_is_live
-- quiet, by domain: what waits for a person is a page that is still answered from
SELECT d.host, h.url AS subject, format('held as %%s, and not live', h.reason) AS detail
FROM held_pages h JOIN domains d ON d.id = h.domain_id
WHERE h.domain_id = ANY (%(quiet_ids)s)
    AND NOT EXISTS (SELECT FROM raw_pages p WHERE p.domain_id = h.domain_id AND p.url = h.url AND p.status = 'live')

-- name: I47_nothing_is_left_to_crawl
-- quiet, by domain: a refresh that completed left no URL of its crawl behind
SELECT d.host, f.url AS subject, coalesce(f.outcome, 'queued') AS detail
FROM crawl_frontier f JOIN domains d ON d.id = f.domain_id
WHERE f.domain_id = ANY (%(quiet_ids)s)

-- name: I48_rows_have_a_domain
-- always, everywhere: no page, text, revision, chunk, vector or words are left of a domain that is gone
WITH gaps AS (
    SELECT lag(id, 1, 0::bigint) OVER (ORDER BY id) AS after_id, id AS before_id
    FROM (SELECT id FROM domains UNION ALL SELECT 9223372036854775807) d
)
SELECT NULL::text AS host, format('domain %%s', found.domain_id) AS subject, format('%%s are left of it', found.what) AS detail
FROM gaps g CROSS JOIN LATERAL (
    (SELECT 'pages' AS what, domain_id FROM raw_pages WHERE domain_id > after_id AND domain_id < before_id LIMIT 1)
    UNION ALL
    (SELECT 'texts', domain_id FROM cleaned_pages WHERE domain_id > after_id AND domain_id < before_id LIMIT 1)
    UNION ALL
    (SELECT 'revisions', domain_id FROM page_revisions WHERE domain_id > after_id AND domain_id < before_id LIMIT 1)
    UNION ALL
    (SELECT 'chunks', domain_id FROM chunks WHERE domain_id > after_id AND domain_id < before_id LIMIT 1)
    UNION ALL
    (SELECT 'words', domain_id FROM chunk_words WHERE domain_id > after_id AND domain_id < before_id LIMIT 1)
    UNION ALL
    (SELECT 'vectors', e.domain_id FROM embedding_models m JOIN embeddings e ON e.model_id = m.id
        WHERE e.domain_id > after_id AND e.domain_id < before_id LIMIT 1)
) found

-- name: I49_publications_were_checked
-- always, everywhere: no page waits to be checked: its transaction committed without the check of its counts
SELECT d.host, coalesce(p.url, format('page %%s', n.page_id)) AS subject, format('not checked by transaction %%s', n.transaction_id) AS detail
FROM publication_checks n LEFT JOIN raw_pages p ON p.id = n.page_id LEFT JOIN domains d ON d.id = p.domain_id
