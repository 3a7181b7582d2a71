-- name: broken_pages
-- Published pages whose rows disagree: another number of chunks, of vectors or of words than is declared, or rows of
-- another domain, model or text among them.
SELECT b.page_id FROM (
    SELECT r.page_id, r.chunk_count, count(c.id) AS chunks, coalesce(max(c.position) + 1, 0) AS positions,
        count(DISTINCT c.position) AS places, coalesce(bool_or(c.position < 0), false) AS is_misplaced,
        count(e.chunk_id) FILTER (WHERE c.domain_id = r.domain_id AND e.domain_id = r.domain_id
            AND e.model_id = r.model_id AND e.text_hash = c.text_hash) AS vectors,
        count(w.chunk_id) FILTER (WHERE w.page_id = r.page_id) AS words
    FROM page_revisions r
    LEFT JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
    LEFT JOIN embeddings e ON e.chunk_id = c.id
    LEFT JOIN chunk_words w ON w.domain_id = c.domain_id AND w.chunk_id = c.id
    WHERE r.domain_id = %(domain_id)s AND r.model_id = %(model_id)s AND r.state = 'live'
    GROUP BY r.id
) b
WHERE b.is_misplaced OR b.chunk_count <> ANY (ARRAY[b.chunks, b.positions, b.places, b.vectors, b.words])

-- name: spoiled_pages
-- Published pages with a text that is not the one that was hashed, or a vector that cannot be searched. Reads all texts
-- and vectors.
SELECT DISTINCT c.page_id FROM chunks c LEFT JOIN embeddings e ON e.chunk_id = c.id
WHERE c.domain_id = %(domain_id)s AND c.model_id = %(model_id)s
    AND (c.text_hash <> sha256(convert_to(c.text, 'UTF8')) OR NOT is_usable(e.embedding, e.dimensions)
        OR e.dimensions <> (SELECT m.dimensions FROM embedding_models m WHERE m.id = c.model_id))

-- name: adopt_texts
UPDATE cleaned_pages cp SET domain_id = p.domain_id FROM raw_pages p
WHERE p.domain_id = %(domain_id)s AND cp.page_id = p.id AND cp.domain_id <> p.domain_id

-- name: adopt_revisions
UPDATE page_revisions r SET domain_id = p.domain_id FROM raw_pages p
WHERE p.domain_id = %(domain_id)s AND r.page_id = p.id AND r.domain_id <> p.domain_id

-- name: return_chunks
-- Rows that bear this domain's number and belong to another's page go back to it, without a pause for its readers.
UPDATE chunks c SET domain_id = p.domain_id FROM raw_pages p
WHERE c.domain_id = %(domain_id)s AND c.model_id = %(model_id)s AND p.id = c.page_id AND p.domain_id <> c.domain_id

-- name: return_vectors
UPDATE embeddings e SET domain_id = c.domain_id FROM chunks c
WHERE e.model_id = %(model_id)s AND e.domain_id = %(domain_id)s AND c.id = e.chunk_id AND c.domain_id <> e.domain_id

-- name: remove_stray_chunks
DELETE FROM chunks c WHERE c.domain_id = %(domain_id)s AND c.model_id = %(model_id)s
    AND NOT EXISTS (SELECT FROM raw_pages p WHERE p.id = c.page_id)

-- name: remove_stray_vectors
-- What was paid for stays.
WITH strays AS (
    DELETE FROM embeddings e WHERE e.model_id = %(model_id)s AND e.domain_id = %(domain_id)s
        AND NOT EXISTS (SELECT FROM chunks c WHERE c.id = e.chunk_id)
    RETURNING e.model_id, e.domain_id, e.text_hash, e.dimensions, e.embedding
)
INSERT INTO kept_embeddings (organization_id, model_id, text_hash, dimensions, embedding, host, is_fresh)
SELECT d.organization_id, s.model_id, s.text_hash, s.dimensions, s.embedding, d.host, false
FROM strays s JOIN domains d ON d.id = s.domain_id WHERE is_usable(s.embedding, s.dimensions)
ON CONFLICT DO NOTHING

-- name: remove_stray_words
DELETE FROM chunk_words w WHERE w.domain_id = %(domain_id)s
    AND NOT EXISTS (SELECT FROM chunks c WHERE c.id = w.chunk_id AND c.domain_id = w.domain_id AND c.page_id = w.page_id)

-- name: remove_stray_staged
DELETE FROM staged_chunks sc
WHERE NOT EXISTS (SELECT FROM page_revisions r WHERE r.id = sc.revision_id AND r.state = 'staged')

-- name: unstage_broken
-- Staged pages with other chunks than they declare are staged anew.
DELETE FROM page_revisions r WHERE r.domain_id = %(domain_id)s AND r.model_id = %(model_id)s AND r.state = 'staged'
    AND r.chunk_count <> (SELECT count(*) FROM staged_chunks sc WHERE sc.revision_id = r.id)
