-- What people are told about: each thing that is wrong once, and once that it is over.

-- One row for each thing that can be wrong; it is kept when it is over and opened again when it comes back.
CREATE TABLE alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+$'),
    -- What it is about: a domain's host, an endpoint, a check of a domain.
    subject text NOT NULL CHECK (subject <> ''),
    -- The domain, if it is about one: when that is removed or paused, the alert is over.
    host text,
    -- One line, without secrets; may quote what a site served.
    message text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    times_opened integer NOT NULL DEFAULT 1 CHECK (times_opened > 0),
    opened_at timestamptz NOT NULL DEFAULT now(),
    -- When it was last found to be so.
    seen_at timestamptz NOT NULL DEFAULT now(),
    recovered_at timestamptz,
    CONSTRAINT recovers_after_it_opened CHECK (recovered_at >= opened_at),
    UNIQUE (kind, subject)
);
CREATE INDEX alerts_open ON alerts (opened_at) WHERE recovered_at IS NULL;

-- Where alerts are sent to, and whether it answers. The name has no secret in it.
CREATE TABLE alert_targets (
    name text PRIMARY KEY,
    -- Whoever sends moves this on first, so that one process sends at a time.
    next_try_at timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    error text,
    delivered_at timestamptz
);

-- What each target was last told of an alert: the outbox is what it should know and does not.
CREATE TABLE alert_deliveries (
    alert_id bigint NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    target text NOT NULL REFERENCES alert_targets (name) ON DELETE CASCADE,
    is_told_open boolean NOT NULL,
    told_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, target)
);
