-- Refreshes of a part of a site, and products that a language model read where no rule did.

-- What of the site a job was limited to, as globs over path and query; the type says which pages where there is none.
ALTER TABLE crawl_jobs ADD COLUMN only_patterns text[] NOT NULL DEFAULT '{}';

-- What an interrupted crawl of the whole site had found and not yet asked for, while crawls of a part of it run. The
-- pages that link there may answer "not modified" for ever: nobody would find those URLs again.
CREATE TABLE postponed_urls (
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    url text NOT NULL CHECK (octet_length(url) <= 2048),
    depth integer NOT NULL CHECK (depth >= 0),
    source text NOT NULL,
    PRIMARY KEY (domain_id, url)
);

-- What a chat model answered of a page, by the text that it was shown: the same question is never paid for twice.
-- Null: it refused, or did not answer in the form that was asked for.
CREATE TABLE model_readings (
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    text_hash bytea NOT NULL CHECK (octet_length(text_hash) = 32),
    question_version integer NOT NULL,
    model text NOT NULL,
    answer jsonb,
    fence bigint NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain_id, text_hash, question_version, model)
);

-- Chat models are paid for by the token as embedding models are, and have no index of their own.
ALTER TABLE embedding_usage
    ALTER COLUMN model_id DROP NOT NULL,
    ADD COLUMN chat_model text,
    ADD CONSTRAINT of_one_model CHECK (num_nonnulls(model_id, chat_model) = 1);
