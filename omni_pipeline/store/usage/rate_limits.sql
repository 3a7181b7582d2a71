-- name: ensure
INSERT INTO rate_limits (endpoint, model) VALUES (%(endpoint)s, %(model)s) ON CONFLICT DO NOTHING

-- name: follow_clock
-- Was last drawn upon at a moment that is still to come: the clock was set back, and what was booked goes back with it.
UPDATE rate_limits SET
    requests_until = requests_until - (reserved_at - statement_timestamp()),
    tokens_until = tokens_until - (reserved_at - statement_timestamp()),
    paused_until = paused_until - (reserved_at - statement_timestamp()),
    reserved_at = statement_timestamp()
WHERE endpoint = %(endpoint)s AND model = %(model)s AND reserved_at > statement_timestamp() + interval '1 second'

-- name: reserve
-- Takes the next free moment for one request, or nothing where that is too far away. A limit's moment runs ahead
-- of the clock by what was taken; what runs further ahead than the burst has to be waited for. Whoever comes later
-- takes a later moment, so a large request does not starve. A pause moves both moments, so it need not be added.
UPDATE rate_limits SET
    reserved_at = statement_timestamp(),
    spacing_seconds = spacing_seconds * %(spacing_decay)s,
    requests_until = greatest(requests_until, statement_timestamp())
        + make_interval(secs => greatest(%(request_seconds)s, spacing_seconds)),
    tokens_until = greatest(tokens_until, statement_timestamp()) + make_interval(secs => %(token_seconds)s)
WHERE endpoint = %(endpoint)s AND model = %(model)s
    AND paused_until <= statement_timestamp() + make_interval(secs => %(max_wait_seconds)s)
    AND greatest(requests_until, statement_timestamp())
        + make_interval(secs => greatest(%(request_seconds)s, spacing_seconds))
        <= statement_timestamp() + make_interval(secs => %(requests_horizon_seconds)s)
    AND greatest(tokens_until, statement_timestamp()) + make_interval(secs => %(token_seconds)s)
        <= statement_timestamp() + make_interval(secs => %(tokens_horizon_seconds)s)
RETURNING greatest(paused_until, statement_timestamp(), requests_until - make_interval(secs => %(requests_burst_seconds)s),
    tokens_until - make_interval(secs => %(tokens_burst_seconds)s)) AS starts_at, clock_timestamp() AS asked_at

-- name: still_holds
-- Whether a moment that was waited for still counts: a pause that reaches beyond it has taken it back.
SELECT FROM rate_limits WHERE endpoint = %(endpoint)s AND model = %(model)s AND paused_until <= %(starts_at)s

-- name: pause
-- Nothing before that moment, for anybody. What was reserved for after it stays reserved. Refusals of requests that
-- were under way together teach one lesson, not many: a pause that prolongs another does not widen the spacing.
UPDATE rate_limits SET
    reserved_at = statement_timestamp(),
    spacing_seconds = CASE WHEN paused_until > statement_timestamp() THEN spacing_seconds
        ELSE least(%(max_spacing_seconds)s, greatest(%(min_spacing_seconds)s, spacing_seconds * %(spacing_growth)s)) END,
    paused_until = statement_timestamp() + make_interval(secs => %(seconds)s),
    requests_until = greatest(requests_until, statement_timestamp() + make_interval(secs => %(seconds)s)),
    tokens_until = greatest(tokens_until, statement_timestamp() + make_interval(secs => %(seconds)s))
WHERE endpoint = %(endpoint)s AND model = %(model)s
    AND paused_until < statement_timestamp() + make_interval(secs => %(seconds)s)

-- name: look
-- Why a request was not let in; null where the endpoint itself asked for nothing.
SELECT CASE WHEN paused_until > clock_timestamp() THEN paused_until END AS paused_until,
    extract(epoch FROM greatest(requests_until, tokens_until, clock_timestamp()) - clock_timestamp())::float8
        AS booked_seconds
FROM rate_limits WHERE endpoint = %(endpoint)s AND model = %(model)s

-- name: end_pauses
UPDATE rate_limits SET paused_until = '-infinity', requests_until = '-infinity', tokens_until = '-infinity', spacing_seconds = 0
WHERE endpoint = %(endpoint)s AND paused_until > clock_timestamp()
