-- name: transaction_id
SELECT pg_current_xact_id()::text

-- name: status
-- What became of a transaction: committed, aborted or in progress.
SELECT pg_xact_status(%(transaction_id)s::text::xid8)
