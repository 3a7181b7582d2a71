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
UPDATE kept_embeddings k SET is_fresh = false
WHERE k.host = %(host)s AND k.model_id = %(model_id)s AND k.is_fresh
    AND NOT EXISTS (SELECT FROM page_revisions r WHERE r.domain_id = %(domain_id)s AND r.model_id = %(model_id)s
        AND r.state = 'staged' AND r.is_reembed)

-- name: stage_reembedding
-- Stages every published page of the domain again, as it is, to be paid for again.
WITH restaged AS (
    INSERT INTO page_revisions (page_id, domain_id, model_id, state, content_hash, chunker, chunk_count, title,
        language, is_reembed, fence)
    SELECT page_id, domain_id, model_id, 'staged', content_hash, chunker, chunk_count, title, language, true, %(fence)s
    FROM page_revisions l
    WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s AND state = 'live'
        AND EXISTS (SELECT FROM raw_pages p WHERE p.id = l.page_id AND p.status = 'live')
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

-- name: handovers
-- Staged pages that give up a text which another staged page takes on: published one after the other, readers would miss
-- it in between.
WITH given AS (
    SELECT s.id, c.text_hash FROM page_revisions s
    JOIN chunks c ON c.page_id = s.page_id AND c.model_id = s.model_id AND c.domain_id = s.domain_id
    LEFT JOIN staged_chunks sc ON sc.revision_id = s.id AND sc.text_hash = c.text_hash
    WHERE s.domain_id = %(domain_id)s AND s.model_id = %(model_id)s AND s.state = 'staged' AND sc.revision_id IS NULL
        AND c.domain_id = %(domain_id)s AND c.model_id = %(model_id)s
), taken AS (
    SELECT sc.text_hash, min(sc.revision_id) AS id FROM page_revisions s JOIN staged_chunks sc ON sc.revision_id = s.id
    WHERE s.domain_id = %(domain_id)s AND s.model_id = %(model_id)s AND s.state = 'staged'
    GROUP BY sc.text_hash
)
SELECT DISTINCT g.id AS from_id, t.id AS to_id, g.text_hash FROM given g JOIN taken t USING (text_hash)

-- name: staying_texts
-- Those of the texts that readers find on some page all the time: one that is not staged, or keeps them.
SELECT t.text_hash FROM unnest(%(text_hashes)s::bytea[]) AS t (text_hash)
WHERE EXISTS (
    SELECT FROM embeddings e JOIN chunks o ON o.id = e.chunk_id JOIN raw_pages p ON p.id = o.page_id AND p.status = 'live'
    LEFT JOIN page_revisions s ON s.page_id = o.page_id AND s.model_id = o.model_id AND s.state = 'staged'
    WHERE e.model_id = %(model_id)s AND e.text_hash = t.text_hash AND e.domain_id = %(domain_id)s
        AND (s.id IS NULL OR EXISTS (SELECT FROM staged_chunks sc WHERE sc.revision_id = s.id AND sc.text_hash = t.text_hash)))

-- name: count_staged
SELECT count(*) AS pages, coalesce(sum(chunk_count), 0) AS chunks FROM page_revisions
WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s AND state = 'staged'

-- name: texts_to_embed
-- The distinct texts of these revisions for which the organization has no vector: none of a published chunk, on
-- whatever page or domain, and none that is kept. A re-embedding takes only what was paid for since it began.
SELECT DISTINCT ON (sc.text_hash) sc.text_hash, sc.text, sc.token_count, r.is_reembed
FROM staged_chunks sc
JOIN page_revisions r ON r.id = sc.revision_id
JOIN domains o ON o.id = r.domain_id
WHERE sc.revision_id = ANY (%(revision_ids)s)
    AND NOT EXISTS (SELECT FROM kept_embeddings k
        WHERE k.organization_id = o.organization_id AND k.model_id = r.model_id AND k.text_hash = sc.text_hash
            AND (k.is_fresh OR NOT r.is_reembed))
    AND (r.is_reembed OR NOT EXISTS (SELECT FROM embeddings e JOIN domains d ON d.id = e.domain_id
        WHERE e.model_id = r.model_id AND e.text_hash = sc.text_hash AND d.organization_id = o.organization_id
            AND is_usable(e.embedding, e.dimensions)))
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
-- Pairs each staged chunk with a published chunk of the same page and text: those keep their row and vector, where both
-- are as they were written.
SELECT s.revision_id, s.position, c.id AS chunk_id
FROM (
    SELECT sc.revision_id, sc.position, sc.text_hash, sc.text, r.page_id, r.model_id,
        row_number() OVER (PARTITION BY sc.revision_id, sc.text_hash ORDER BY sc.position) AS occurrence
    FROM staged_chunks sc JOIN page_revisions r ON r.id = sc.revision_id
    WHERE sc.revision_id = ANY (%(revision_ids)s) AND NOT r.is_reembed
) s
JOIN (
    SELECT c.id, c.page_id, c.model_id, c.text_hash, c.text,
        row_number() OVER (PARTITION BY c.page_id, c.model_id, c.text_hash ORDER BY c.position) AS occurrence
    FROM chunks c JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.domain_id = c.domain_id
    WHERE r.id = ANY (%(revision_ids)s)
) c USING (page_id, model_id, text_hash, text, occurrence)
WHERE EXISTS (SELECT FROM embeddings e JOIN chunks o ON o.id = e.chunk_id
    WHERE e.chunk_id = c.id AND e.domain_id = o.domain_id AND e.model_id = o.model_id AND e.text_hash = o.text_hash
        AND is_usable(e.embedding, e.dimensions))

-- name: replaced
SELECT c.id FROM chunks c JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id
WHERE r.id = ANY (%(revision_ids)s) AND c.id <> ALL (%(kept_chunk_ids)s)

-- name: keep_vectors
SELECT keep_vectors(%(chunk_ids)s)

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
-- The new chunks with their vectors: one that is kept, or that of a published chunk with the same text. A text without
-- either yields a chunk without an embedding, which the deferred check refuses: nothing of the batch is published then.
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
        SELECT k.dimensions, k.embedding FROM kept_embeddings k
        WHERE k.organization_id = %(organization_id)s AND k.model_id = i.model_id AND k.text_hash = i.text_hash
        UNION ALL
        SELECT e.dimensions, e.embedding FROM embeddings e JOIN domains d ON d.id = e.domain_id
        WHERE e.model_id = i.model_id AND e.text_hash = i.text_hash AND d.organization_id = %(organization_id)s
            AND is_usable(e.embedding, e.dimensions)
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

-- name: of_pages
-- A model's chunks of these pages with those of retired models, whose indexes nobody keeps up to date; or all.
SELECT c.id FROM chunks c JOIN embedding_models m ON m.id = c.model_id
WHERE c.page_id = ANY (%(page_ids)s)
    AND (%(model_id)s::smallint IS NULL OR m.id = %(model_id)s OR m.status = 'retired')

-- name: remove_revisions_of_pages
DELETE FROM page_revisions r USING embedding_models m
WHERE r.page_id = ANY (%(page_ids)s) AND m.id = r.model_id
    AND (%(model_id)s::smallint IS NULL OR m.id = %(model_id)s OR m.status = 'retired')

-- name: unstage_pages
DELETE FROM page_revisions WHERE page_id = ANY (%(page_ids)s) AND state = 'staged'

-- name: left_behind
-- Gone pages that the model's index still has, with whether what replaces them is in it. Locked, as for every swap.
SELECT p.id AS page_id, is_replaced(p, %(model_id)s::smallint) AS is_replaced
FROM raw_pages p
WHERE p.domain_id = %(domain_id)s AND p.status = 'gone'
    AND (EXISTS (SELECT FROM page_revisions r WHERE r.page_id = p.id AND r.model_id = %(model_id)s)
        OR EXISTS (SELECT FROM chunks c WHERE c.page_id = p.id AND c.model_id = %(model_id)s))
ORDER BY p.id
FOR UPDATE

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
