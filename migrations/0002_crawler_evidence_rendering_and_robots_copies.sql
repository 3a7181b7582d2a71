-- What a crawler that may be left alone has to remember: how pages are rendered, what robots.txt last said,
-- on which evidence a page left, and which removals wait for a person.

-- A crawl stops at 5,000 URLs unless its domain says otherwise: an endless site ends, and says that it was cut.
ALTER TABLE domains
    ALTER COLUMN page_limit SET DEFAULT 5000,
    ADD COLUMN concurrency integer NOT NULL DEFAULT 4 CHECK (concurrency BETWEEN 1 AND 16),
    -- Hosts beside the site's own that its pages may load from when a browser renders them.
    ADD COLUMN browser_hosts text[] NOT NULL DEFAULT '{}',
    -- Where the start page says that the site has gone, when that is another site.
    ADD COLUMN moved_to text;

ALTER TABLE raw_pages
    ADD COLUMN rendered_by text NOT NULL DEFAULT 'http' CHECK (rendered_by IN ('http', 'browser')),
    ADD COLUMN gone_because text CHECK (gone_because IN ('missing', 'moved', 'soft_404', 'noindex', 'duplicate', 'excluded')),
    -- The page a browser showed has no validators: those of its HTML say nothing about what scripts made of it.
    ADD CONSTRAINT rendered_has_no_validators CHECK (rendered_by = 'http' OR (etag IS NULL AND last_modified IS NULL));
UPDATE raw_pages SET gone_because = CASE WHEN http_status IN (301, 308) THEN 'moved' ELSE 'missing' END
WHERE status = 'gone';
ALTER TABLE raw_pages
    DROP CONSTRAINT gone_has_evidence,
    ADD CONSTRAINT gone_has_evidence CHECK (status <> 'gone' OR (gone_at IS NOT NULL AND CASE gone_because
        WHEN 'missing' THEN http_status IN (404, 410)
        WHEN 'moved' THEN http_status IN (301, 308)
        ELSE gone_because IS NOT NULL AND http_status = 200 END));

-- The last robots.txt that each origin of a domain gave. It rules while the site cannot say anything newer.
CREATE TABLE robots_files (
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    origin text NOT NULL,
    content text NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (domain_id, origin)
);

-- Whether pages whose URLs look alike need a browser, by comparing one of them both ways.
CREATE TABLE render_decisions (
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    pattern text NOT NULL,
    needs_browser boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (domain_id, pattern)
);

-- Removals and shrinkages that were too many at once to be believed, until the site takes them back or a
-- person confirms them.
CREATE TABLE held_pages (
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    url text NOT NULL CHECK (octet_length(url) <= 2048),
    reason text NOT NULL CHECK (reason IN ('missing', 'moved', 'soft_404', 'noindex', 'duplicate', 'excluded', 'shrunk')),
    held_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz,
    PRIMARY KEY (domain_id, url)
);
