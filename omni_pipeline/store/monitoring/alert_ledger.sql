-- name: lock
-- Whoever compares the alerts with the world does it alone, so that nobody writes what was true before. The statements
-- that follow go by their own time: that of the transaction is from before the wait.
SELECT pg_advisory_xact_lock(hashtextextended('alerts', 0))

-- name: conditions
-- What is wrong now, as far as the tables can tell, a branch for each kind of alert_kinds. Only active domains: a pause was a person's decision.
WITH active AS (
    SELECT d.id, d.host, coalesce(d.last_success_at, d.created_at) AS fresh_at, j.status AS job_status, j.finished_at,
        j.error_kind, j.error, j.pages_discovered - j.pages_skipped AS asked, j.pages_failed AS failed
    FROM domains d
    LEFT JOIN LATERAL (
        SELECT * FROM crawl_jobs j
        WHERE j.domain_id = d.id AND j.status IN ('completed', 'failed') AND j.job_type <> 'model_build'
        ORDER BY j.fence DESC LIMIT 1) j ON true
    WHERE d.status = 'active'
)
SELECT 'stale_domain' AS kind, host AS subject, host, jsonb_build_object(
    'since', to_char(fresh_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
    'hours', floor(extract(epoch FROM now() - fresh_at) / 3600)::integer) AS details
FROM active WHERE fresh_at < now() - make_interval(secs => %(stale_hours)s * 3600)
UNION ALL
SELECT 'many_failures', host, host, jsonb_build_object('failed', failed, 'asked', asked)
FROM active WHERE failed >= %(min_failed)s AND failed > asked * %(max_failed_share)s
UNION ALL
SELECT 'budget_reached', host, host, jsonb_build_object('error', error)
FROM active
WHERE job_status = 'failed' AND error_kind = 'transient.budget' AND finished_at >= date_trunc('day', now(), 'UTC')
UNION ALL
SELECT 'held_pages', a.host, a.host, jsonb_build_object('pages', count(*))
FROM active a JOIN held_pages h ON h.domain_id = a.id AND h.confirmed_at IS NULL GROUP BY a.host
UNION ALL
-- A breaker that opened over a fault that may pass often closes by itself: that is nobody's business yet.
SELECT 'breaker_open', endpoint, NULL, jsonb_build_object(
    'since', to_char(opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), 'failures', failures,
    'error_kind', error_kind, 'error', error)
FROM provider_breakers
WHERE state <> 'closed'
    AND (error_kind LIKE 'permanent.%%' OR opened_at < now() - make_interval(secs => %(breaker_seconds)s))

-- name: raise
-- Opens an alert for each condition; an open one only learns what is new about it. Returns those that opened.
WITH raised AS (
    INSERT INTO alerts AS a (kind, subject, host, message, details, opened_at, seen_at)
    SELECT *, statement_timestamp(), statement_timestamp()
    FROM unnest(%(kinds)s::text[], %(subjects)s::text[], %(hosts)s::text[], %(messages)s::text[], %(details)s::jsonb[])
    ON CONFLICT (kind, subject) DO UPDATE SET
        host = excluded.host, message = excluded.message, details = excluded.details, seen_at = excluded.seen_at,
        opened_at = CASE WHEN a.recovered_at IS NULL THEN a.opened_at ELSE excluded.opened_at END,
        times_opened = a.times_opened + (a.recovered_at IS NOT NULL)::integer, recovered_at = NULL
    RETURNING a.kind, a.subject, a.opened_at = a.seen_at AS has_opened
)
SELECT kind, subject FROM raised WHERE has_opened

-- name: recover
-- Alerts of these kinds and subjects are over. Returns those that were open.
UPDATE alerts a SET recovered_at = statement_timestamp()
FROM unnest(%(kinds)s::text[], %(subjects)s::text[]) AS r (kind, subject)
WHERE a.kind = r.kind AND a.subject = r.subject AND a.recovered_at IS NULL
RETURNING a.kind, a.subject

-- name: recover_others
-- Alerts of these kinds that are not among the conditions any more are over. Returns them.
UPDATE alerts a SET recovered_at = statement_timestamp()
WHERE a.recovered_at IS NULL AND a.kind = ANY (%(of_kinds)s)
    AND NOT EXISTS (SELECT FROM unnest(%(kinds)s::text[], %(subjects)s::text[]) AS r (kind, subject)
        WHERE a.kind = r.kind AND a.subject = r.subject)
RETURNING a.kind, a.subject

-- name: recover_outdated
-- What runs reported and nothing has confirmed for days, or whose domain is gone, paused, or was refreshed since by a
-- run whose end nobody saw. Returns them.
UPDATE alerts a SET recovered_at = statement_timestamp()
WHERE a.recovered_at IS NULL AND a.kind = ANY (%(of_kinds)s) AND (
    a.seen_at < now() - make_interval(days => %(days)s)
    OR a.host IS NOT NULL AND NOT EXISTS (SELECT FROM domains d WHERE d.host = a.host AND d.status = 'active')
    OR a.kind = ANY (%(ends_with_refresh)s)
        AND EXISTS (SELECT FROM domains d WHERE d.host = a.subject AND d.last_success_at > a.seen_at))
RETURNING a.kind, a.subject

-- name: error_of_run
-- How the newest job of a Dagster run failed.
SELECT error_kind, error FROM crawl_jobs WHERE run_id = %(run_id)s AND status = 'failed' ORDER BY id DESC LIMIT 1

-- name: due
-- What a target should be told: what opened, what is over of what it was told, and once a day what is still open. When
-- a reminder goes out, those that are due soon go with it. What came back within the cool-down waits for its end.
WITH news AS (
    SELECT a.*, CASE WHEN a.recovered_at IS NOT NULL THEN 'recovered' WHEN t.is_notified_open THEN 'reminder' ELSE 'opened' END AS event,
        t.is_notified_open, t.notified_at
    FROM alerts a LEFT JOIN alert_deliveries t ON t.alert_id = a.id AND t.target = %(target)s
), due AS (
    SELECT *, CASE event
        WHEN 'recovered' THEN is_notified_open
        WHEN 'reminder' THEN notified_at <= now() - make_interval(secs => %(reminder_seconds)s)
        ELSE notified_at IS NULL OR notified_at <= now() - make_interval(secs => %(cool_down_seconds)s) END AS is_due
    FROM news
)
SELECT id, event, kind, subject, message, details, opened_at, recovered_at FROM due
WHERE is_due OR event = 'reminder' AND notified_at <= now() - make_interval(secs => %(reminder_seconds)s / 2)
    AND EXISTS (SELECT FROM due d WHERE d.event = 'reminder' AND d.is_due)
ORDER BY opened_at, id

-- name: claim_target
-- The right to send to a target, for so long; no row means that its time has not come, or that another one sends.
INSERT INTO alert_targets AS t (name, next_try_at) VALUES (%(target)s, now() + make_interval(secs => %(claim_seconds)s))
ON CONFLICT (name) DO UPDATE SET next_try_at = excluded.next_try_at WHERE t.next_try_at <= now()
RETURNING failures

-- name: release_target
-- Nothing was sent after all.
UPDATE alert_targets SET next_try_at = now() WHERE name = %(target)s

-- name: note_notified
INSERT INTO alert_deliveries AS d (alert_id, target, is_notified_open)
SELECT id, %(target)s, is_open FROM unnest(%(ids)s::bigint[], %(are_open)s::boolean[]) AS n (id, is_open)
JOIN alerts USING (id)
ON CONFLICT (alert_id, target) DO UPDATE SET is_notified_open = excluded.is_notified_open, notified_at = excluded.notified_at

-- name: note_delivered
UPDATE alert_targets SET failures = 0, error = NULL, delivered_at = now(),
    next_try_at = now() + make_interval(secs => %(gap_seconds)s)
WHERE name = %(target)s

-- name: note_failed
-- Twice as long after each failure, up to an hour.
UPDATE alert_targets SET failures = failures + 1, error = %(error)s,
    next_try_at = now() + make_interval(secs => least(3600, 30 * 2 ^ least(failures, 7)))
WHERE name = %(target)s

-- name: list
-- The open ones, then those that were over last.
SELECT kind, subject, host, message, details, times_opened, opened_at, seen_at, recovered_at FROM alerts
WHERE recovered_at IS NULL OR recovered_at > now() - make_interval(days => %(recent_days)s)
ORDER BY recovered_at DESC NULLS FIRST, opened_at DESC, id DESC

-- name: targets
SELECT name, failures, error, delivered_at, next_try_at FROM alert_targets WHERE name = ANY (%(names)s) ORDER BY name

-- name: count_open
SELECT count(*) FROM alerts WHERE recovered_at IS NULL
