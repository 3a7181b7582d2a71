-- name: server
SELECT current_setting('server_version_num')::integer AS postgres_number,
    current_setting('server_version') AS postgres,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    (SELECT coalesce(installed_version, default_version) FROM pg_available_extensions
        WHERE name = 'vector') AS pgvector,
    (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS pgvector_available

-- name: create_extension
CREATE EXTENSION IF NOT EXISTS vector

-- name: distance
SELECT '[1,2]'::vector <-> '[3,4]'
