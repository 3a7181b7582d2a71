-- What pages say of themselves, what a domain repeats on its pages, and what the last refresh changed.

ALTER TABLE cleaned_pages
    -- The days as the page wrote them, in whatever zone that was.
    ADD COLUMN published_on date,
    ADD COLUMN modified_on date,
    -- Names of the pages above this one, outermost first.
    ADD COLUMN breadcrumbs text[] NOT NULL DEFAULT '{}',
    -- The decision by which repeated text was left out; none where the page says itself where its content is.
    ADD COLUMN boilerplate_version integer,
    ADD COLUMN characters_left_out integer NOT NULL DEFAULT 0 CHECK (characters_left_out >= 0),
    -- The fences of the refreshes that found the page, and that last found it to say something else; 0 before there
    -- were these columns. A text that only the cleaner or the boilerplate changed is not counted.
    ADD COLUMN found_fence bigint NOT NULL DEFAULT 0,
    ADD COLUMN changed_fence bigint NOT NULL DEFAULT 0,
    -- The headings under which that change was.
    ADD COLUMN changed_headings text[] NOT NULL DEFAULT '{}';

-- The blocks of a sample of each domain's pages, as hashes of 8 bytes.
CREATE TABLE boilerplate_samples (
    page_id bigint PRIMARY KEY REFERENCES raw_pages (id) ON DELETE CASCADE,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    cleaner_version integer NOT NULL,
    blocks bytea NOT NULL CHECK (octet_length(blocks) % 8 = 0)
);
CREATE INDEX boilerplate_samples_by_domain ON boilerplate_samples (domain_id);

-- Which of these blocks are left out of the domain's texts. Every other decision is another version.
CREATE TABLE boilerplate (
    domain_id bigint PRIMARY KEY REFERENCES domains (id) ON DELETE CASCADE,
    version integer NOT NULL CHECK (version > 0),
    blocks bytea NOT NULL CHECK (octet_length(blocks) % 8 = 0),
    decided_at timestamptz NOT NULL DEFAULT now()
);
