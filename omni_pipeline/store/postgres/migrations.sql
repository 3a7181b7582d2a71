-- name: create_ledger
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: has_ledger
SELECT to_regclass('schema_migrations') IS NOT NULL

-- name: applied
SELECT number, name, sha256 FROM schema_migrations ORDER BY number

-- name: record
INSERT INTO schema_migrations (number, name, sha256) VALUES (%(number)s, %(name)s, %(sha256)s)

-- name: be_sole_migrator
-- Until the transaction ends. The number is arbitrary, and this project's alone.
SELECT pg_advisory_xact_lock(7031601160451820)

-- name: wait_for_migrators
-- Another process may be in the middle of a long migration: that is worth waiting for.
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '10min', true)

-- name: wait_for_locks
SELECT set_config('lock_timeout', %(lock_timeout)s, true)

-- name: lock_timeout
SELECT current_setting('lock_timeout')
