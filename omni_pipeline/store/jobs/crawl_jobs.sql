-- name: lock_domain
-- First half of a claim. Two statements, not one: after a lock wait a single statement would still look for
-- a running job in its old snapshot, miss the winner's, and raise the fence under the winner's feet.
SELECT FROM domains WHERE id = %(domain_id)s FOR UPDATE

-- name: completed_tick
-- The job that did what was scheduled for this time, if one did.
SELECT id AS job_id, run_id, finished_at FROM crawl_jobs
WHERE domain_id = %(domain_id)s AND scheduled_for = %(scheduled_for)s AND status = 'completed'

-- name: pass_tick_on
-- A failed attempt leaves its time to the next one: of all attempts, one job at most is the day's refresh.
UPDATE crawl_jobs SET scheduled_for = NULL
WHERE domain_id = %(domain_id)s AND scheduled_for = %(scheduled_for)s AND status = 'failed'

-- name: claim
-- Takes the locked domain for one run: a new fence and a running job, or no row when another job runs. The nonce tells
-- the claim from one that had the same job id and fence in transactions that a failover or a restore has lost.
WITH taken AS (
    UPDATE domains SET fence = fence + 1, claim_nonce = gen_random_uuid()
    WHERE id = %(domain_id)s
        AND NOT EXISTS (SELECT FROM crawl_jobs j WHERE j.domain_id = %(domain_id)s AND j.status = 'running')
    RETURNING id, organization_id, host, start_url, fence, claim_nonce
)
INSERT INTO crawl_jobs (
    domain_id, host, job_type, status, fence, nonce, run_id, worker, target_url, force_rescrape, force_reembed, page_limit,
    only_patterns, scheduled_for, started_at, heartbeat_at)
SELECT id, host, %(job_type)s, 'running', fence, claim_nonce, %(run_id)s, %(worker)s, start_url, %(force_rescrape)s, %(force_reembed)s,
    %(page_limit)s, %(only_patterns)s, %(scheduled_for)s, clock_timestamp(), clock_timestamp()
FROM taken
RETURNING id AS job_id, domain_id, host, fence, nonce::text, (SELECT organization_id FROM taken) AS organization_id

-- name: holder
-- Who holds the domain now, and since when it has not beaten.
SELECT id AS job_id, run_id, worker, started_at, stage,
    extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS beat_age_seconds
FROM crawl_jobs WHERE domain_id = %(domain_id)s AND status = 'running'

-- name: hold_fence
-- The guard of every write: the row lock makes a claim or a reaper wait until this transaction has ended. Its id tells
-- afterwards what became of it.
SELECT pg_current_xact_id()::text FROM domains
WHERE id = %(domain_id)s AND fence = %(fence)s AND claim_nonce = %(nonce)s::uuid FOR SHARE

-- name: remembers
-- Whether the claim was ever made here. Jobs outlive their domain.
SELECT FROM crawl_jobs WHERE id = %(job_id)s AND nonce = %(nonce)s::uuid

-- name: beat
-- Renews the lease by the database's clock; no row means that the job was ended by someone else.
UPDATE crawl_jobs SET heartbeat_at = clock_timestamp(), latest_at = greatest(latest_at, clock_timestamp())
WHERE id = %(job_id)s AND nonce = %(nonce)s::uuid AND status = 'running'
RETURNING id

-- name: enter_stage
UPDATE crawl_jobs SET stage = %(stage)s WHERE id = %(job_id)s AND nonce = %(nonce)s::uuid AND status = 'running'

-- name: add_to_counters
UPDATE crawl_jobs SET
    pages_cleaned = pages_cleaned + %(pages_cleaned)s,
    pages_published = pages_published + %(pages_published)s,
    chunks_staged = chunks_staged + %(chunks_staged)s,
    chunks_embedded = chunks_embedded + %(chunks_embedded)s,
    chunks_reused = chunks_reused + %(chunks_reused)s,
    tokens_embedded = tokens_embedded + %(tokens_embedded)s,
    tokens_reused = tokens_reused + %(tokens_reused)s,
    latest_at = greatest(latest_at, clock_timestamp())
WHERE id = %(job_id)s AND status = 'running'

-- name: note_drift
-- The first thing that was noticed: later batches are compared with what came of it.
UPDATE crawl_jobs SET vector_drift = coalesce(vector_drift, %(drift)s) WHERE id = %(job_id)s

-- name: newest_drift
SELECT vector_drift FROM crawl_jobs WHERE domain_id = %(domain_id)s ORDER BY id DESC LIMIT 1

-- name: finish
-- Closes the running job as its own worker; no row means that it was ended by someone else. The raised fence closes
-- the door behind it, or a thread that was forgotten could write until the next claim. Told twice, because the answer
-- to the first time was lost, the same end is an end.
WITH held AS (
    SELECT id FROM domains
    WHERE id = %(domain_id)s AND fence = %(fence)s AND claim_nonce = %(nonce)s::uuid FOR UPDATE
), ended AS (
    UPDATE crawl_jobs j SET status = %(status)s, ended_by = 'worker',
        finished_at = greatest(clock_timestamp(), j.started_at, j.latest_at), error_kind = %(error_kind)s, error = %(error)s
    FROM held
    WHERE j.id = %(job_id)s AND j.status = 'running'
    RETURNING j.domain_id, j.status, j.finished_at
), marked AS (
    UPDATE domains d SET fence = d.fence + 1, last_success_at = CASE
        WHEN ended.status = 'completed' AND %(is_whole)s THEN ended.finished_at ELSE d.last_success_at END
    FROM ended WHERE d.id = ended.domain_id
)
SELECT status FROM ended
UNION ALL
SELECT status FROM crawl_jobs WHERE id = %(job_id)s AND nonce = %(nonce)s::uuid AND ended_by = 'worker' AND status = %(status)s
    AND error IS NOT DISTINCT FROM %(error)s

-- name: list
-- The newest jobs first. Rows outlive their domain, so they are found by the host that they were for.
SELECT id AS job_id, host, job_type, status, ended_by, stage, run_id, started_at, finished_at,
    extract(epoch FROM coalesce(finished_at, clock_timestamp()) - started_at)::float8 AS seconds,
    CASE WHEN status = 'running' THEN extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 END AS beat_age_seconds,
    pages_discovered, pages_changed, pages_gone, pages_failed, pages_published, chunks_embedded, chunks_reused,
    tokens_embedded, tokens_reused, error_kind, error
FROM crawl_jobs
WHERE (%(host)s::text IS NULL OR host = %(host)s) AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY id DESC
LIMIT %(limit)s

-- name: read
SELECT *,
    extract(epoch FROM coalesce(finished_at, clock_timestamp()) - started_at)::float8 AS seconds,
    CASE WHEN status = 'running' THEN extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 END AS beat_age_seconds
FROM crawl_jobs WHERE id = %(job_id)s

-- name: unfinished_ticks
-- The active domains whose refresh of this time is neither done nor under way, those that waited longest first.
-- What was registered later waits for the next time; an error that a person must act on is not worth a retry.
SELECT d.host FROM domains d
LEFT JOIN crawl_jobs j ON j.domain_id = d.id AND j.scheduled_for = %(scheduled_for)s
WHERE d.status = 'active' AND d.created_at <= %(scheduled_for)s
    AND (j.id IS NULL OR j.status = 'failed' AND j.error_kind NOT LIKE 'permanent.%%')
ORDER BY d.last_success_at NULLS FIRST, d.host

-- name: newest_crawl
SELECT pages_discovered - pages_skipped AS asked, pages_failed AS failed FROM crawl_jobs
WHERE domain_id = %(domain_id)s ORDER BY id DESC LIMIT 1
