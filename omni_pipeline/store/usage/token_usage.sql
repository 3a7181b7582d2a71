-- name: lock
-- The day's sum is of all runs, so bookings that are bounded by it come one after another.
SELECT pg_advisory_xact_lock(hashtextextended('token_usage', 0))

-- name: book
-- Books a batch before it is sent, unless the day's budget (UTC) of its domain or of all domains forbids. Returns
-- whether it is booked, and what was used before.
WITH budgets AS (
    SELECT d.daily_token_budget AS of_domain, %(daily_token_budget)s::bigint AS of_all
    FROM domains d WHERE d.id = %(domain_id)s
), used AS (
    SELECT b.of_domain, b.of_all,
        CASE WHEN b.of_domain IS NULL THEN 0 ELSE (SELECT coalesce(sum(tokens), 0) FROM token_usage
            WHERE domain_id = %(domain_id)s AND used_at >= date_trunc('day', now(), 'UTC')
            AND batch_id <> %(batch_id)s) END::bigint AS used_by_domain,
        CASE WHEN b.of_all IS NULL THEN 0 ELSE (SELECT coalesce(sum(tokens), 0) FROM token_usage
            WHERE used_at >= date_trunc('day', now(), 'UTC') AND batch_id <> %(batch_id)s) END::bigint AS used_by_all
    FROM budgets b
), booked AS (
    INSERT INTO token_usage (batch_id, domain_id, host, job_id, model_id, chat_model, requests, texts, tokens,
        price_per_million)
    SELECT %(batch_id)s, %(domain_id)s, %(host)s, %(job_id)s, %(model_id)s, %(chat_model)s, 0, 0, %(tokens)s,
        %(price_per_million)s
    FROM used
    WHERE (of_domain IS NULL OR used_by_domain + %(tokens)s <= of_domain)
        AND (of_all IS NULL OR used_by_all + %(tokens)s <= of_all)
    ON CONFLICT (batch_id) DO UPDATE SET tokens = excluded.tokens
    RETURNING id
)
SELECT EXISTS (SELECT FROM booked) AS is_booked, of_domain, of_all, used_by_domain, used_by_all FROM used

-- name: cancel
-- The batch was not answered, so it was not paid for.
DELETE FROM token_usage WHERE batch_id = %(batch_id)s AND settled_at IS NULL

-- name: settle
-- What the batch came to. No row means that it was settled already: this transaction is a repeated one.
INSERT INTO token_usage AS u (batch_id, domain_id, host, job_id, model_id, chat_model, requests, texts, tokens,
    tokens_reused, price_per_million, settled_at)
VALUES (%(batch_id)s, %(domain_id)s, %(host)s, %(job_id)s, %(model_id)s, %(chat_model)s, %(requests)s, %(texts)s, %(tokens)s,
    %(tokens_reused)s, %(price_per_million)s, clock_timestamp())
ON CONFLICT (batch_id) DO UPDATE SET requests = excluded.requests, texts = excluded.texts, tokens = excluded.tokens,
    tokens_reused = excluded.tokens_reused, settled_at = excluded.settled_at
WHERE u.settled_at IS NULL
RETURNING id

-- name: spent
-- What was paid and saved, by host and day (UTC), the newest day first. Money is null where a price is unknown.
SELECT host, (used_at AT TIME ZONE 'UTC')::date AS day, sum(requests)::bigint AS requests, sum(texts)::bigint AS texts,
    sum(tokens)::bigint AS tokens, sum(tokens_reused)::bigint AS tokens_reused,
    sum(cost_usd) AS cost_usd, sum(saved_usd) AS saved_usd,
    coalesce(sum(tokens + tokens_reused) FILTER (WHERE price_per_million IS NULL), 0)::bigint AS tokens_without_price
FROM token_usage
WHERE (%(host)s::text IS NULL OR host = %(host)s)
    AND used_at >= date_trunc('day', now(), 'UTC') - make_interval(days => %(days)s - 1)
GROUP BY host, day
ORDER BY host, day DESC
