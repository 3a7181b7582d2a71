-- name: vector_type
-- No row where the extension is not installed, or not on the search path.
SELECT oid::bigint AS oid, typarray::bigint AS array_oid FROM pg_type WHERE oid = to_regtype('halfvec')

-- name: has_database
SELECT 1 FROM pg_database WHERE datname = %(name)s
