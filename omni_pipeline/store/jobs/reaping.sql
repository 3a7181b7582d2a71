-- name: count_anew
-- A beat that lies ahead of the clock was written before the clock was set back. It counts from now on: nobody is taken
-- for dead by that, and who is dead holds its domain for one lease more, not until the clock has caught up.
UPDATE crawl_jobs SET heartbeat_at = clock_timestamp()
WHERE id IN (SELECT id FROM crawl_jobs
    WHERE status = 'running' AND heartbeat_at > clock_timestamp() + interval '1 second' FOR UPDATE SKIP LOCKED)

-- name: reap
-- Ends the running jobs whose lease ran out, in one statement: a beat that lands first saves its job. A job
-- whose process is known to be dead need not be waited for.
-- Raising the fence refuses whatever the lost worker still tries to write. Who holds a lock is at work or about to
-- be cut off: it is passed by until the next look, so that one stuck domain does not keep the others.
WITH expired AS (
    SELECT d.id AS domain_id, j.id AS job_id FROM domains d JOIN crawl_jobs j ON j.domain_id = d.id
    WHERE j.status = 'running' AND (j.id = ANY (%(dead_job_ids)s)
        OR j.heartbeat_at < clock_timestamp() - make_interval(secs => %(lease_seconds)s))
    ORDER BY d.id
    FOR UPDATE OF d, j SKIP LOCKED
), lost AS (
    UPDATE crawl_jobs j SET status = 'failed', ended_by = 'reaper',
        finished_at = greatest(clock_timestamp(), j.started_at, j.latest_at), error_kind = 'transient.worker_lost',
        error = format(CASE WHEN j.id = ANY (%(dead_job_ids)s)
            THEN 'The worker %%s is gone: its process or its Dagster run has ended. Its last sign of life was at %%s.'
            ELSE 'The worker %%s stopped beating: its last sign of life was at %%s.' END, j.worker, j.heartbeat_at)
    FROM expired
    WHERE j.id = expired.job_id AND j.status = 'running' AND (j.id = ANY (%(dead_job_ids)s)
        OR j.heartbeat_at < clock_timestamp() - make_interval(secs => %(lease_seconds)s))
    RETURNING j.id, j.domain_id, j.host, j.fence, j.run_id
), fenced AS (
    UPDATE domains d SET fence = d.fence + 1 FROM lost WHERE d.id = lost.domain_id AND d.fence = lost.fence
)
SELECT id AS job_id, host, run_id FROM lost ORDER BY id

-- name: reaped_lately
-- What reapers ended in the last day. One may have died before it failed the run of the job that it had ended.
SELECT id AS job_id, host, run_id FROM crawl_jobs
WHERE ended_by = 'reaper' AND finished_at > clock_timestamp() - interval '1 day' ORDER BY id

-- name: is_any_lost
-- Whether the reaper passed one by.
SELECT FROM crawl_jobs j WHERE j.status = 'running' AND (j.id = ANY (%(dead_job_ids)s)
    OR j.heartbeat_at < clock_timestamp() - make_interval(secs => %(lease_seconds)s))

-- name: running
SELECT id AS job_id, worker FROM crawl_jobs WHERE status = 'running' AND worker IS NOT NULL

-- name: runs
SELECT id AS job_id, host, run_id FROM crawl_jobs WHERE status = 'running' AND run_id IS NOT NULL ORDER BY id
