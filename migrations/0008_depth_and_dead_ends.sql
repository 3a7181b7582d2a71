-- What keeps a crawl whole and bounded from one refresh to the next.

-- How many links lie between the start page and this one: else each refresh would lead the bounded depth deeper.
ALTER TABLE raw_pages ADD COLUMN depth integer NOT NULL DEFAULT 0 CHECK (depth >= 0);

-- Where links led and no page was. The page that links there may answer "not modified" for ever, and then
-- nothing would tell that there is a page now.
CREATE TABLE dead_ends (
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    url text NOT NULL CHECK (octet_length(url) <= 2048),
    depth integer NOT NULL CHECK (depth >= 0),
    found_at timestamptz NOT NULL DEFAULT now(),
    checked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain_id, url)
);
