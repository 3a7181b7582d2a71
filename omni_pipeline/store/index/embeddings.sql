-- name: keep
-- A repeated write replaces its own rows, and a new vector an old one. Ordered, so that two runs cannot deadlock.
INSERT INTO kept_embeddings AS k (organization_id, model_id, dimensions, text_hash, embedding, host, is_fresh)
SELECT %(organization_id)s, %(model_id)s, %(dimensions)s, text_hash, embedding, %(host)s, true
FROM unnest(%(text_hashes)b::bytea[], %(vectors)b::halfvec[]) AS v (text_hash, embedding)
ORDER BY text_hash
ON CONFLICT (organization_id, model_id, text_hash) DO UPDATE SET embedding = excluded.embedding, host = excluded.host,
    is_fresh = true, last_used_at = excluded.last_used_at

-- name: has_vector
-- Which of these texts the organization has a vector of, kept or published.
SELECT t.text_hash FROM unnest(%(text_hashes)s::bytea[]) AS t (text_hash)
WHERE EXISTS (SELECT FROM kept_embeddings k
        WHERE k.organization_id = %(organization_id)s AND k.model_id = %(model_id)s AND k.text_hash = t.text_hash)
    OR EXISTS (SELECT FROM embeddings e JOIN domains d ON d.id = e.domain_id
        WHERE e.model_id = %(model_id)s AND e.text_hash = t.text_hash AND d.organization_id = %(organization_id)s
            AND is_usable(e.embedding, e.dimensions))

-- name: count_reused
-- Publishing empties the staged chunks: repeated after its commit, this finds nothing to count a second time.
SELECT count(*) AS chunks, coalesce(sum(token_count), 0)::bigint AS tokens
FROM (
    SELECT token_count, text_hash = ANY (%(paid_hashes)s) AND row_number() OVER (
        PARTITION BY text_hash ORDER BY revision_id, position) = 1 AS is_paid
    FROM staged_chunks WHERE revision_id = ANY (%(revision_ids)s)
) c
WHERE NOT is_paid

-- name: forget_staged
-- What was paid for and is published by now, unless more of a re-embedding waits for it. What another run has locked, it
-- needs.
DELETE FROM kept_embeddings WHERE ctid = ANY (ARRAY(SELECT k.ctid FROM kept_embeddings k
WHERE k.host = %(host)s AND k.organization_id = %(organization_id)s AND k.is_fresh
    AND EXISTS (SELECT FROM embeddings e JOIN domains d ON d.id = e.domain_id
        WHERE e.model_id = k.model_id AND e.text_hash = k.text_hash AND d.organization_id = k.organization_id)
    AND NOT EXISTS (
        SELECT FROM page_revisions r JOIN staged_chunks sc ON sc.revision_id = r.id
        WHERE r.domain_id = %(domain_id)s AND r.model_id = k.model_id AND r.state = 'staged' AND sc.text_hash = k.text_hash)
FOR UPDATE SKIP LOCKED))

-- name: forget_unused
-- What no page has said for so long.
DELETE FROM kept_embeddings WHERE ctid = ANY (ARRAY(SELECT ctid FROM kept_embeddings
WHERE last_used_at < now() - make_interval(days => %(days)s) FOR UPDATE SKIP LOCKED))

-- name: erase_kept
DELETE FROM kept_embeddings WHERE host = %(host)s

-- name: sample
-- Vectors of a model, of this domain before all: what its texts usually come to.
SELECT embedding FROM (
    (SELECT embedding FROM embeddings WHERE model_id = %(model_id)s AND domain_id = %(domain_id)s LIMIT %(limit)s)
    UNION ALL
    (SELECT embedding FROM embeddings WHERE model_id = %(model_id)s AND domain_id <> %(domain_id)s LIMIT %(limit)s)
) e
LIMIT %(limit)s
