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

-- name: supplies
-- What is counted up and ends: the ids of our tables, and transactions that no vacuum has frozen yet.
SELECT sequencename AS name, last_value AS used, max_value AS "limit",
    'Widen the column: ALTER TABLE ... TYPE bigint, and its sequence: ALTER SEQUENCE ... AS bigint.' AS remedy
FROM pg_sequences WHERE schemaname = current_schema() AND last_value IS NOT NULL
UNION ALL
SELECT 'transactions', age(datfrozenxid), 2147483647,
    'Find out why autovacuum does not freeze this database, and run VACUUM FREEZE in it.'
FROM pg_database WHERE datname = current_database()
