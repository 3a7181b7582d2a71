-- name: ask
-- May the endpoint be asked? No row: yes. The UPDATE lets exactly one caller probe an endpoint that was left alone
-- long enough; a probe that never reports back is replaced when its own time is over. One that was opened at a moment still
-- to come was opened before the clock was set back: nobody can say how long ago, so it is probed.
WITH probe AS (
    UPDATE provider_breakers SET state = 'half_open', opened_at = least(opened_at, clock_timestamp()),
        opened_until = clock_timestamp() + %(probe_seconds)s * interval '1 s'
    WHERE endpoint = %(endpoint)s AND state <> 'closed'
        AND (opened_until <= clock_timestamp() OR opened_at > clock_timestamp() + interval '1 second')
    RETURNING endpoint
)
SELECT b.state, b.failures, b.opened_until, b.error_kind, b.error, EXISTS (SELECT FROM probe) AS is_probe,
    greatest(0, extract(epoch FROM b.opened_until - clock_timestamp()))::float8 AS wait_seconds
FROM provider_breakers b WHERE b.endpoint = %(endpoint)s

-- name: close
-- It answered. One that a request sent earlier finds open stays open: only the probe has asked since.
UPDATE provider_breakers SET state = 'closed', failures = 0, opened_at = NULL, opened_until = NULL
WHERE endpoint = %(endpoint)s AND (%(is_probe)s OR state = 'closed')

-- name: count_failure
-- One more failure in a row, of any run; enough of them, or that of the probe, open the breaker.
INSERT INTO provider_breakers AS b (endpoint, state, failures, error_kind, error)
VALUES (%(endpoint)s, 'closed', 1, %(kind)s, %(error)s)
ON CONFLICT (endpoint) DO UPDATE SET
    failures = b.failures + 1, error_kind = excluded.error_kind, error = excluded.error,
    state = CASE WHEN %(is_probe)s OR b.failures + 1 >= %(max_failures)s THEN 'open' ELSE 'closed' END,
    opened_at = CASE WHEN %(is_probe)s THEN b.opened_at
        WHEN b.failures + 1 >= %(max_failures)s THEN clock_timestamp() END,
    opened_until = CASE WHEN %(is_probe)s OR b.failures + 1 >= %(max_failures)s
        THEN clock_timestamp() + %(open_seconds)s * interval '1 s' END
WHERE %(is_probe)s OR b.state = 'closed'

-- name: open
-- Opens at once: asking again cannot help before a person has acted.
INSERT INTO provider_breakers AS b (endpoint, state, failures, error_kind, error, opened_at, opened_until)
VALUES (%(endpoint)s, 'open', 1, %(kind)s, %(error)s, clock_timestamp(),
    clock_timestamp() + %(open_seconds)s * interval '1 s')
ON CONFLICT (endpoint) DO UPDATE SET
    state = 'open', failures = b.failures + 1, error_kind = excluded.error_kind, error = excluded.error,
    opened_at = coalesce(b.opened_at, excluded.opened_at), opened_until = greatest(b.opened_until, excluded.opened_until)

-- name: reset
UPDATE provider_breakers SET state = 'closed', failures = 0, opened_at = NULL, opened_until = NULL
WHERE endpoint = %(endpoint)s AND state <> 'closed'
