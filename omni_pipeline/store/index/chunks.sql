-- name: remove_staged
DELETE FROM page_revisions WHERE page_id = ANY (%(page_ids)s) AND model_id = %(model_id)s AND state = 'staged'

-- name: stage_revisions
INSERT INTO page_revisions (page_id, domain_id, model_id, state, content_hash, chunker, chunk_count, title, language, fence)
SELECT page_id, %(domain_id)s, %(model_id)s, 'staged', content_hash, %(chunker)s, chunk_count, title, language, %(fence)s
FROM unnest(%(page_ids)s::bigint[], %(content_hashes)s::bytea[], %(chunk_counts)s::int[], %(titles)s::text[],
    %(languages)s::text[]) AS r (page_id, content_hash, chunk_count, title, language)
RETURNING id, page_id

-- name: copy_staged_chunks
COPY staged_chunks (revision_id, position, text, text_hash, heading_path, start_offset, token_count)
FROM STDIN (FORMAT BINARY)

-- name: make_words
-- Here, and not while the pages are swapped, as it takes longer than all of their swap. A chunk that is published with
-- the same title and headings keeps the words it has.
UPDATE staged_chunks sc SET words = make_words(r.model_id, r.domain_id, r.language, r.title, sc.heading_path, sc.text)
FROM page_revisions r
WHERE r.id = ANY (%(revision_ids)s) AND sc.revision_id = r.id AND NOT EXISTS (
    SELECT FROM chunks c JOIN chunk_words w ON w.domain_id = c.domain_id AND w.chunk_id = c.id
    WHERE c.page_id = r.page_id AND c.model_id = r.model_id AND c.text_hash = sc.text_hash
        AND w.source_hash = source_hash(r.language, r.title, sc.heading_path))

-- name: reembed_staged
-- What is staged already is paid for anew as well: else the old vector of a text would come back by way of it.
UPDATE page_revisions SET is_reembed = true
WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s AND state = 'staged'

-- name: forget_paid
-- Vectors that an earlier run left behind are not what is paid for now, but those of a re-embedding that was
-- broken off are.
DELETE FROM staged_embeddings WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s
    AND NOT EXISTS (SELECT FROM page_revisions r WHERE r.domain_id = %(domain_id)s AND r.model_id = %(model_id)s
        AND r.state = 'staged' AND r.is_reembed)

-- name: stage_reembedding
-- Stages every published page of the domain again, as it is, to be paid for again.
WITH restaged AS (
    INSERT INTO page_revisions (page_id, domain_id, model_id, state, content_hash, chunker, chunk_count, title,
        language, is_reembed, fence)
    SELECT page_id, domain_id, model_id, 'staged', content_hash, chunker, chunk_count, title, language, true, %(fence)s
    FROM page_revisions
    WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s AND state = 'live'
    ORDER BY page_id
    ON CONFLICT (page_id, model_id, state) DO UPDATE SET is_reembed = true
    RETURNING id, page_id, model_id, (xmax = 0) AS is_new
)
INSERT INTO staged_chunks (revision_id, position, text, text_hash, heading_path, start_offset, token_count, words)
SELECT r.id, c.position, c.text, c.text_hash, c.heading_path, c.start_offset, c.token_count, w.words
FROM restaged r JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
LEFT JOIN chunk_words w ON w.domain_id = c.domain_id AND w.chunk_id = c.id
WHERE r.is_new

-- name: staged_pages
-- The staged revisions to publish next, with the domain's whole backlog.
SELECT r.id AS revision_id, r.page_id, p.url, r.chunk_count, r.is_reembed
FROM page_revisions r JOIN raw_pages p ON p.id = r.page_id
WHERE r.domain_id = %(domain_id)s AND r.model_id = %(model_id)s AND r.state = 'staged' AND r.id > %(after_id)s
ORDER BY r.id
LIMIT %(limit)s

-- name: count_staged
SELECT count(*) AS pages, coalesce(sum(chunk_count), 0) AS chunks FROM page_revisions
WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s AND state = 'staged'

-- name: texts_to_embed
-- The distinct texts of these revisions that neither their own page's published chunks nor the vectors
-- already paid for can serve.
SELECT DISTINCT ON (sc.text_hash) sc.text_hash, sc.text, sc.token_count, r.is_reembed
FROM staged_chunks sc
JOIN page_revisions r ON r.id = sc.revision_id
WHERE sc.revision_id = ANY (%(revision_ids)s)
    AND NOT EXISTS (SELECT FROM staged_embeddings se
        WHERE se.domain_id = r.domain_id AND se.model_id = r.model_id AND se.text_hash = sc.text_hash)
    AND (r.is_reembed OR NOT EXISTS (SELECT FROM chunks c
        WHERE c.page_id = r.page_id AND c.model_id = r.model_id AND c.text_hash = sc.text_hash))
ORDER BY sc.text_hash, r.is_reembed DESC

-- name: revisions_with_texts
SELECT DISTINCT revision_id FROM staged_chunks
WHERE revision_id = ANY (%(revision_ids)s) AND text_hash = ANY (%(text_hashes)s)

-- name: lock_pages
-- The page lock: two swaps of one page must queue, or the second would not see the first one's rows and
-- leave duplicates. Ordered, so that two batches cannot deadlock.
SELECT p.id FROM raw_pages p
JOIN page_revisions r ON r.page_id = p.id
WHERE r.id = ANY (%(revision_ids)s)
ORDER BY p.id
FOR UPDATE OF p

-- name: still_staged
-- Asked once the pages are locked: what another swap has made live meanwhile, or this very one before its
-- answer was lost, must be left alone.
SELECT r.id FROM page_revisions r JOIN raw_pages p ON p.id = r.page_id
WHERE r.id = ANY (%(revision_ids)s) AND r.state = 'staged' AND p.status = 'live'

-- name: match_kept
-- Pairs each staged chunk with a published chunk of the same page and text: those keep their row and vector.
SELECT s.revision_id, s.position, c.id AS chunk_id
FROM (
    SELECT sc.revision_id, sc.position, sc.text_hash, r.page_id, r.model_id,
        row_number() OVER (PARTITION BY sc.revision_id, sc.text_hash ORDER BY sc.position) AS occurrence
    FROM staged_chunks sc JOIN page_revisions r ON r.id = sc.revision_id
    WHERE sc.revision_id = ANY (%(revision_ids)s) AND NOT r.is_reembed
) s
JOIN (
    SELECT c.id, c.page_id, c.model_id, c.text_hash,
        row_number() OVER (PARTITION BY c.page_id, c.model_id, c.text_hash ORDER BY c.position) AS occurrence
    FROM chunks c JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id
    WHERE r.id = ANY (%(revision_ids)s)
) c USING (page_id, model_id, text_hash, occurrence)

-- name: replaced
SELECT c.id FROM chunks c JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id
WHERE r.id = ANY (%(revision_ids)s) AND c.id <> ALL (%(kept_chunk_ids)s)

-- name: remove_vectors
DELETE FROM embeddings WHERE chunk_id = ANY (%(chunk_ids)s)

-- name: remove
DELETE FROM chunks WHERE id = ANY (%(chunk_ids)s)

-- name: move_kept
-- A kept chunk may stand elsewhere on its page; its vector's row is not touched.
UPDATE chunks c SET position = sc.position, heading_path = sc.heading_path, start_offset = sc.start_offset
FROM unnest(%(kept_revision_ids)s::bigint[], %(kept_positions)s::int[], %(kept_chunk_ids)s::bigint[])
    AS k (revision_id, position, chunk_id)
JOIN staged_chunks sc USING (revision_id, position)
WHERE c.id = k.chunk_id
    AND (c.position, c.heading_path, c.start_offset) IS DISTINCT FROM (sc.position, sc.heading_path, sc.start_offset)

-- name: insert_new
-- The new chunks with their vectors: one that was paid for, or that of a kept chunk whose text the page now
-- repeats. A text without either yields a chunk without an embedding, which the deferred check refuses: nothing
-- of the batch is published then.
WITH kept AS (
    SELECT * FROM unnest(%(kept_revision_ids)s::bigint[], %(kept_positions)s::int[]) AS k (revision_id, position)
), inserted AS (
    INSERT INTO chunks (page_id, domain_id, model_id, position, text, text_hash, heading_path, start_offset, token_count)
    SELECT r.page_id, r.domain_id, r.model_id, sc.position, sc.text, sc.text_hash, sc.heading_path, sc.start_offset,
        sc.token_count
    FROM staged_chunks sc JOIN page_revisions r ON r.id = sc.revision_id
    WHERE sc.revision_id = ANY (%(revision_ids)s)
        AND NOT EXISTS (SELECT FROM kept k WHERE k.revision_id = sc.revision_id AND k.position = sc.position)
    ORDER BY r.page_id, sc.position
    RETURNING id, page_id, domain_id, model_id, text_hash
), embedded AS (
    INSERT INTO embeddings (chunk_id, domain_id, model_id, dimensions, text_hash, embedding)
    SELECT i.id, i.domain_id, i.model_id, v.dimensions, i.text_hash, v.embedding
    FROM inserted i
    CROSS JOIN LATERAL (
        SELECT se.dimensions, se.embedding FROM staged_embeddings se
        WHERE se.domain_id = i.domain_id AND se.model_id = i.model_id AND se.text_hash = i.text_hash
        UNION ALL
        SELECT e.dimensions, e.embedding FROM chunks c JOIN embeddings e ON e.chunk_id = c.id
        WHERE c.page_id = i.page_id AND c.model_id = i.model_id AND c.text_hash = i.text_hash
        LIMIT 1
    ) v
    RETURNING chunk_id
)
SELECT (SELECT count(*) FROM inserted) AS chunks, (SELECT count(*) FROM embedded) AS embeddings

-- name: remove_live_revisions
DELETE FROM page_revisions old USING page_revisions r
WHERE r.id = ANY (%(revision_ids)s) AND old.page_id = r.page_id AND old.model_id = r.model_id AND old.state = 'live'

-- name: make_live
UPDATE page_revisions SET state = 'live', published_at = clock_timestamp(), fence = %(fence)s, is_reembed = false
WHERE id = ANY (%(revision_ids)s) AND state = 'staged'

-- name: empty_staged
DELETE FROM staged_chunks WHERE revision_id = ANY (%(revision_ids)s)

-- name: remove_vectors_of_pages
DELETE FROM embeddings e USING chunks c WHERE c.page_id = ANY (%(page_ids)s) AND e.chunk_id = c.id

-- name: remove_of_pages
DELETE FROM chunks WHERE page_id = ANY (%(page_ids)s)

-- name: remove_revisions_of_pages
DELETE FROM page_revisions WHERE page_id = ANY (%(page_ids)s)

-- name: count_published
-- Chunks and matching vectors of the domain, as search sees them.
SELECT count(*) AS chunks,
    count(*) FILTER (WHERE e.text_hash = c.text_hash AND e.model_id = c.model_id AND e.domain_id = c.domain_id) AS embeddings,
    count(DISTINCT c.page_id) AS pages
FROM chunks c
LEFT JOIN embeddings e ON e.chunk_id = c.id
WHERE c.domain_id = %(domain_id)s

-- name: pages_with_wrong_counts
SELECT p.url, r.chunk_count AS declared, count(c.id) AS chunks,
    count(*) FILTER (WHERE e.text_hash = c.text_hash AND e.model_id = c.model_id) AS embeddings
FROM page_revisions r
JOIN raw_pages p ON p.id = r.page_id
LEFT JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
LEFT JOIN embeddings e ON e.chunk_id = c.id
WHERE r.domain_id = %(domain_id)s AND r.state = 'live'
GROUP BY p.url, r.id
HAVING count(c.id) <> r.chunk_count
    OR count(*) FILTER (WHERE e.text_hash = c.text_hash AND e.model_id = c.model_id) <> r.chunk_count
ORDER BY p.url
LIMIT 20

-- name: staged_with_wrong_counts
SELECT p.url, r.chunk_count AS declared, count(sc.position) AS chunks
FROM page_revisions r
JOIN raw_pages p ON p.id = r.page_id
LEFT JOIN staged_chunks sc ON sc.revision_id = r.id
WHERE r.domain_id = %(domain_id)s AND r.state = 'staged'
GROUP BY r.id, p.url
HAVING count(sc.position) <> r.chunk_count
ORDER BY p.url
LIMIT 20
