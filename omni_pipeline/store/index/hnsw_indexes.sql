-- name: index
-- A model's HNSW index, valid or not, with its options as they were given.
SELECT i.indisvalid AS is_valid, coalesce(c.reloptions, '{}') AS options, pg_relation_size(c.oid) AS size_bytes
FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.oid = to_regclass(%(name)s)

-- name: pgvector
SELECT extversion FROM pg_extension WHERE extname = 'vector'

-- name: take_time
-- A build waits for old transactions, and takes as long as it takes.
SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)

-- name: lock
-- One build or drop at a time: two of one model would be in each other's way.
SELECT pg_try_advisory_lock(hashtextextended('hnsw_indexes', 0))

-- name: unlock
SELECT pg_advisory_unlock(hashtextextended('hnsw_indexes', 0))
