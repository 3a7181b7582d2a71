-- name: make_room
-- Run before a COPY, which knows no ON CONFLICT: a repeated write replaces its own rows.
DELETE FROM staged_embeddings
WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s AND text_hash = ANY (%(text_hashes)b::bytea[])

-- name: copy_staged
COPY staged_embeddings (domain_id, model_id, dimensions, text_hash, embedding) FROM STDIN (FORMAT BINARY)

-- name: reuse
-- Stages vectors that the organization paid for already, on whatever page or domain the text stands; returns
-- the texts that have one now, also when it was there before.
WITH taken AS (
INSERT INTO staged_embeddings (domain_id, model_id, dimensions, text_hash, embedding)
SELECT %(domain_id)s, %(model_id)s, found.dimensions, wanted.text_hash, found.embedding
FROM unnest(%(text_hashes)s::bytea[]) AS wanted (text_hash)
CROSS JOIN LATERAL (
    SELECT dimensions, embedding FROM (
        SELECT e.dimensions, e.embedding FROM embeddings e JOIN domains d ON d.id = e.domain_id
        WHERE e.model_id = %(model_id)s AND e.text_hash = wanted.text_hash AND d.organization_id = %(organization_id)s
        UNION ALL
        SELECT s.dimensions, s.embedding FROM staged_embeddings s JOIN domains d ON d.id = s.domain_id
        WHERE s.model_id = %(model_id)s AND s.text_hash = wanted.text_hash AND d.organization_id = %(organization_id)s
    ) either LIMIT 1
) found
ORDER BY wanted.text_hash
ON CONFLICT (domain_id, model_id, text_hash) DO NOTHING
RETURNING text_hash
)
SELECT text_hash FROM taken
UNION
SELECT text_hash FROM staged_embeddings
WHERE domain_id = %(domain_id)s AND model_id = %(model_id)s AND text_hash = ANY (%(text_hashes)s)

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
-- Vectors that no staged chunk of the domain waits for any more.
DELETE FROM staged_embeddings se WHERE se.domain_id = %(domain_id)s
    AND NOT EXISTS (
        SELECT FROM page_revisions r JOIN staged_chunks sc ON sc.revision_id = r.id
        WHERE r.domain_id = se.domain_id AND r.model_id = se.model_id AND r.state = 'staged' AND sc.text_hash = se.text_hash)

-- name: sample
-- Vectors of a model, of this domain before all: what its texts usually come to.
SELECT embedding FROM (
    (SELECT embedding FROM embeddings WHERE model_id = %(model_id)s AND domain_id = %(domain_id)s LIMIT %(limit)s)
    UNION ALL
    (SELECT embedding FROM embeddings WHERE model_id = %(model_id)s AND domain_id <> %(domain_id)s LIMIT %(limit)s)
) e
LIMIT %(limit)s
