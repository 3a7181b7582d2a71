-- Search by meaning and by words: what the words of a chunk are, and one function that any application may ask.

-- How Postgres reads a language: the stemmer and stop words that come with it, else `simple`, which takes words as
-- they are. Languages as pages give them: de, pt-BR, zh_TW.
CREATE FUNCTION search_configuration(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE lower(substring(language FROM '^[A-Za-z]+'))
    WHEN 'ar' THEN 'arabic'::regconfig WHEN 'ca' THEN 'catalan' WHEN 'da' THEN 'danish' WHEN 'de' THEN 'german'
    WHEN 'el' THEN 'greek' WHEN 'en' THEN 'english' WHEN 'es' THEN 'spanish' WHEN 'eu' THEN 'basque'
    WHEN 'fi' THEN 'finnish' WHEN 'fr' THEN 'french' WHEN 'ga' THEN 'irish' WHEN 'hi' THEN 'hindi'
    WHEN 'hu' THEN 'hungarian' WHEN 'hy' THEN 'armenian' WHEN 'id' THEN 'indonesian' WHEN 'it' THEN 'italian'
    WHEN 'lt' THEN 'lithuanian' WHEN 'nb' THEN 'norwegian' WHEN 'ne' THEN 'nepali' WHEN 'nl' THEN 'dutch'
    WHEN 'nn' THEN 'norwegian' WHEN 'no' THEN 'norwegian' WHEN 'pt' THEN 'portuguese' WHEN 'ro' THEN 'romanian'
    WHEN 'ru' THEN 'russian' WHEN 'sr' THEN 'serbian' WHEN 'sv' THEN 'swedish' WHEN 'ta' THEN 'tamil'
    WHEN 'tr' THEN 'turkish' WHEN 'yi' THEN 'yiddish' ELSE 'simple' END;

-- The words of a text or a question. These marks only part words, or os.path would be a host name that `path` does not
-- find, and <stdio.h> a tag that nothing finds. (translate() would take three times as long as all the rest.) What is
-- cut off fits no chunk of any model; with it a tsvector could become too large to be stored.
CREATE FUNCTION search_words(configuration regconfig, text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector(configuration, replace(replace(replace(replace(replace(replace(
    left(text, 100000), '.', ' '), '/', ' '), '-', ' '), '@', ' '), '<', ' '), '&', ' '));

-- What full text search reads of a chunk. A: title, B: headings, D: text. Without positions: = with the
-- number of the model, and with those of model and domain, so that the index alone restricts a search to them.
CREATE FUNCTION make_words(model_id smallint, domain_id bigint, language text, title text, heading_path text[], text text)
RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY[format('=%s', model_id), format('=%s/%s', model_id, domain_id)])
        || setweight(search_words(c.configuration, title), 'A')
        || setweight(search_words(c.configuration, array_to_string(heading_path, ' ')), 'B')
        || search_words(c.configuration, text)
    FROM (SELECT search_configuration(language) AS configuration OFFSET 0) c
$$;

-- Changes when the words of a text do: with its language, title and headings. (The text under an id never changes.)
CREATE FUNCTION source_hash(language text, title text, heading_path text[]) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
RETURN hashtextextended(jsonb_build_array(search_configuration(language), title, heading_path)::text, 0);

-- Nothing is published between the words of what is there already and the triggers for what comes.
LOCK TABLE page_revisions, chunks IN SHARE ROW EXCLUSIVE MODE;

-- The words of each published chunk, in a table of their own, as a chunk that moves on its page keeps its words.
-- With what is published already, made by as many processes as the server has for it.
CREATE TABLE chunk_words
    -- Uncompressed in its row: ranking reads each candidate's words once for each word of the question.
    WITH (toast_tuple_target = 8160)
    AS SELECT c.domain_id, c.id AS chunk_id, c.page_id, source_hash(r.language, r.title, c.heading_path) AS source_hash,
        make_words(c.model_id, c.domain_id, r.language, r.title, c.heading_path, c.text) AS words
    FROM page_revisions r JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
    WHERE r.state = 'live';
ALTER TABLE chunk_words ALTER page_id SET NOT NULL, ALTER source_hash SET NOT NULL, ALTER words SET NOT NULL,
    ADD PRIMARY KEY (domain_id, chunk_id);
CREATE INDEX chunk_words_by_word ON chunk_words USING gin (words);
ANALYZE chunk_words;

-- Made when a chunk is staged, as that takes longer than all of its publishing. Null where the page has published the
-- same already.
ALTER TABLE staged_chunks ADD COLUMN words tsvector, SET (toast_tuple_target = 8160);

-- A page's chunks are all in place when its revision becomes live, which is the last step of publishing.
CREATE FUNCTION write_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chunk_words (domain_id, chunk_id, page_id, source_hash, words)
    SELECT c.domain_id, c.id, c.page_id, s.hash,
        coalesce(sc.words, make_words(c.model_id, c.domain_id, r.language, r.title, c.heading_path, c.text))
    FROM touched r
    JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
    LEFT JOIN staged_chunks sc ON sc.revision_id = r.id AND sc.position = c.position
    CROSS JOIN LATERAL (SELECT source_hash(r.language, r.title, c.heading_path) AS hash) s
    WHERE r.state = 'live' AND NOT EXISTS (
        SELECT FROM chunk_words w WHERE w.domain_id = c.domain_id AND w.chunk_id = c.id AND w.source_hash = s.hash)
    ON CONFLICT (domain_id, chunk_id) DO UPDATE SET source_hash = excluded.source_hash, words = excluded.words;
    RETURN NULL;
END $$;
CREATE TRIGGER write_words AFTER UPDATE ON page_revisions
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION write_words();

-- In place of a foreign key, whose check per row costs more than the row.
CREATE FUNCTION remove_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM chunk_words w USING removed r WHERE w.domain_id = r.domain_id AND w.chunk_id = r.id;
    RETURN NULL;
END $$;
CREATE TRIGGER remove_words AFTER DELETE ON chunks
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION remove_words();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON chunk_words EXECUTE FUNCTION refuse_truncate();

-- Which languages there are, without reading all pages; and pages by the beginning of their address.
CREATE INDEX page_revisions_by_language ON page_revisions (model_id, language) WHERE state = 'live';
CREATE INDEX raw_pages_by_url ON raw_pages (url text_pattern_ops);

-- The languages of a model's published pages as these give them, at most a hundred; null where some name none.
CREATE FUNCTION published_languages(model_id smallint) RETURNS TABLE (language text) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE languages AS (
        -- From one language to the next by the index.
        SELECT (SELECT min(r.language) FROM page_revisions r WHERE r.model_id = $1 AND r.state = 'live') AS tag
        UNION ALL
        SELECT (SELECT min(r.language) FROM page_revisions r WHERE r.model_id = $1 AND r.state = 'live' AND r.language > l.tag)
        FROM languages l WHERE l.tag IS NOT NULL
    )
    (SELECT l.tag FROM languages l WHERE l.tag IS NOT NULL LIMIT 100)
    UNION ALL
    (SELECT NULL FROM page_revisions r WHERE r.model_id = $1 AND r.state = 'live' AND r.language IS NULL LIMIT 1)
$$;

-- Where to search: null does not restrict. Languages are as pages give them.
CREATE TYPE search_scope AS (
    model_id smallint, dimensions smallint, domain_ids bigint[], url_prefix text, languages text[], seen_since timestamptz);

-- Whether a scope restricts pages, and not only domains.
CREATE FUNCTION restricts_pages(scope search_scope) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN scope.url_prefix IS NOT NULL OR scope.languages IS NOT NULL OR scope.seen_since IS NOT NULL;

-- The tables that a scope's conditions are about, for the pages of a column; $1 is the scope.
CREATE FUNCTION scope_tables(scope search_scope, page_id text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN concat(
    CASE WHEN scope.url_prefix IS NOT NULL OR scope.seen_since IS NOT NULL THEN ' JOIN raw_pages p ON p.id = ' || page_id END,
    CASE WHEN scope.languages IS NOT NULL THEN
        format(' JOIN page_revisions r ON r.page_id = %s AND r.model_id = $1.model_id AND r.state = ''live''', page_id) END);

-- The conditions of a scope, to stand after others, on those tables and a column with the domain.
CREATE FUNCTION scope_conditions(scope search_scope, domain_id text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN concat(
    CASE WHEN scope.domain_ids IS NOT NULL THEN format(' AND %s = ANY ($1.domain_ids)', domain_id) END,
    CASE WHEN scope.url_prefix IS NOT NULL THEN ' AND starts_with(p.url, $1.url_prefix)' END,
    CASE WHEN scope.seen_since IS NOT NULL THEN ' AND p.checked_at >= $1.seen_since' END,
    CASE WHEN scope.languages IS NOT NULL THEN ' AND r.language = ANY ($1.languages)' END);

-- Whether so few chunks are in the scope that comparing all of them is fast. Looks at no more pages than it takes.
CREATE FUNCTION is_small(scope search_scope) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Where pages have to be looked up as well, a chunk costs ten times as much.
    most_chunks CONSTANT integer := CASE WHEN restricts_pages(scope) THEN 2000 ELSE 20000 END;
    most_pages CONSTANT integer := most_chunks / 8;
    pages bigint;
    chunks bigint;
BEGIN
    IF scope.domain_ids IS NULL AND NOT restricts_pages(scope) THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT count(*), sum(chunk_count) FROM (SELECT l.chunk_count FROM page_revisions l%s'
        ' WHERE l.state = ''live'' AND l.model_id = $1.model_id%s LIMIT $2) pages',
        scope_tables(scope, 'l.page_id'), scope_conditions(scope, 'l.domain_id'))
        INTO pages, chunks USING scope, most_pages + 1;
    RETURN pages <= most_pages AND coalesce(chunks, 0) <= most_chunks;
END $$;

-- The nearest chunks of a scope. Small scopes are searched exactly: of what is far from a domain's neighbours, HNSW
-- finds little. In others the model's HNSW index, where it has one, is asked for candidates, which are sorted exactly;
-- should the scope leave too few of them, the search is exact after all.
CREATE FUNCTION nearest_chunks(scope search_scope, query halfvec, most integer)
RETURNS TABLE (chunk_id bigint, distance double precision)
LANGUAGE plpgsql STABLE
SET hnsw.iterative_scan = 'relaxed_order'
SET hnsw.ef_search = '150'
-- Of two plans in the right order, the one that need not sort is the index. JIT takes longer than any of them.
SET enable_sort = 'off'
SET jit = 'off'
AS $$
DECLARE
    places CONSTANT text := CASE WHEN restricts_pages(scope) THEN
        ' JOIN chunks c ON c.id = e.chunk_id' || scope_tables(scope, 'c.page_id') ELSE '' END;
    conditions CONSTANT text := scope_conditions(scope, 'e.domain_id');
    -- The model's number and dimensions stand in the text, not in parameters: only so does its partial index fit.
    distance CONSTANT text := format('e.embedding::halfvec(%s) <=> $2', scope.dimensions);
    found integer;
BEGIN
    IF EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = to_regclass('embeddings_hnsw_' || scope.model_id) AND i.indisvalid)
        AND NOT is_small(scope)
    THEN
        RETURN QUERY EXECUTE format(
            'WITH candidates AS MATERIALIZED ('
            '    SELECT e.chunk_id, %1$s AS distance FROM embeddings e%2$s WHERE e.model_id = %3$s%4$s'
            '    ORDER BY %1$s LIMIT $4)'
            ' SELECT * FROM candidates WHERE (SELECT count(*) FROM candidates) >= $3 ORDER BY distance, chunk_id LIMIT $3',
            distance, places, scope.model_id, conditions)
            -- Behind what a scope leaves out lies some that is nearer than what it lets through first.
            USING scope, query, most, CASE WHEN conditions = '' THEN most * 2 ELSE most * 2 + 20 END;
        GET DIAGNOSTICS found = ROW_COUNT;
        IF found = most THEN
            RETURN;
        END IF;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT e.chunk_id, e.embedding <=> $2 AS distance FROM embeddings e%s WHERE e.model_id = %s%s'
        ' ORDER BY distance, e.chunk_id LIMIT $3', places, scope.model_id, conditions)
        USING scope, query, most;
END $$;

-- The words of a question as each language of the scope writes them, and in what share of all chunks a word stands.
-- That is Postgres's own statistics: a word that they do not name is rarer than all that they name.
CREATE FUNCTION question_words(scope search_scope, question text)
RETURNS TABLE (configuration regconfig, word tsquery, share double precision)
LANGUAGE sql STABLE AS $$
    WITH configurations AS (
        SELECT DISTINCT search_configuration(l.language) AS configuration
        FROM (
            SELECT unnest(scope.languages) AS language
            UNION ALL SELECT p.language FROM published_languages(scope.model_id) p WHERE scope.languages IS NULL
        ) l
    ), shares AS MATERIALIZED (
        SELECT e.word, e.share FROM pg_stats s,
            unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) AS e (word, share)
        WHERE s.tablename = 'chunk_words' AND s.attname = 'words' AND e.word IS NOT NULL
            AND s.schemaname = (SELECT c.relnamespace::regnamespace::text FROM pg_class c WHERE c.oid = 'chunk_words'::regclass)
    )
    SELECT c.configuration, ('''' || replace(replace(w.word, '\', '\\'), '''', '''''') || '''')::tsquery,
        coalesce(s.share, (SELECT min(share) / 2 FROM shares), 0.001)
    FROM configurations c
    CROSS JOIN LATERAL unnest(tsvector_to_array(search_words(c.configuration, question))) AS w (word)
    LEFT JOIN shares s USING (word)
    ORDER BY 3 LIMIT 64
$$;

-- The chunks of a scope that have words of the question, those first in which rare words stand often, and in titles
-- and headings. Ranking reads every candidate, so those with all of the words are taken first, then those with any of
-- the rarest; of words that stand nearly everywhere not every chunk is looked at.
CREATE FUNCTION matching_chunks(scope search_scope, question text, most integer)
RETURNS TABLE (chunk_id bigint, rank double precision)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    most_candidates CONSTANT integer := greatest(300, most);
    is_one_domain CONSTANT boolean := coalesce(cardinality(scope.domain_ids) = 1, false);
    scope_chunks CONSTANT double precision := CASE WHEN is_one_domain THEN
        (SELECT sum(r.chunk_count) FROM page_revisions r
            WHERE r.domain_id = scope.domain_ids[1] AND r.model_id = scope.model_id AND r.state = 'live')
        ELSE (SELECT c.reltuples FROM pg_class c WHERE c.oid = 'chunk_words'::regclass) END;
    marker text := scope.model_id;
    beyond_words search_scope := scope;
    all_words tsquery;
    rare_words tsquery;
    words tsquery[];
    weights double precision[];
BEGIN
    IF is_one_domain THEN
        -- The index says where they are.
        marker := format('%s/%s', scope.model_id, scope.domain_ids[1]);
        beyond_words.domain_ids := NULL;
    END IF;
    WITH counted AS (
        SELECT *, row_number() OVER by_share AS place, sum(share) OVER by_share * scope_chunks AS chunks
        FROM question_words(scope, question) WINDOW by_share AS (PARTITION BY configuration ORDER BY share, word::text)
    ), joined AS (
        -- Languages that write the words alike ask for them once.
        SELECT DISTINCT string_agg(word::text, '&' ORDER BY word::text) AS all_words,
            string_agg(word::text, '|' ORDER BY place) FILTER (WHERE place = 1 OR chunks <= most_candidates) AS rare_words
        FROM counted GROUP BY configuration
    ), distinct_words AS (
        SELECT word, ln(1 + 1 / min(share)) AS weight FROM counted GROUP BY word
    )
    SELECT format('''=%s''&(%s)', marker, string_agg(j.all_words, '|'))::tsquery,
        format('''=%s''&(%s)', marker, string_agg(j.rare_words, '|'))::tsquery,
        (SELECT array_agg(d.word ORDER BY d.word) FROM distinct_words d),
        (SELECT array_agg(d.weight ORDER BY d.word) FROM distinct_words d)
    INTO all_words, rare_words, words, weights FROM joined j HAVING count(*) > 0;
    IF words IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        'WITH whole AS MATERIALIZED (SELECT w.chunk_id, w.words FROM chunk_words w%1$s WHERE w.words @@ $2%2$s LIMIT $7),'
        ' candidates AS MATERIALIZED ('
        '    SELECT * FROM whole UNION ALL'
        '    (SELECT w.chunk_id, w.words FROM chunk_words w%1$s'
        '    WHERE (SELECT count(*) FROM whole) < $6 AND w.words @@ $3 AND NOT w.words @@ $2%2$s LIMIT $7))'
        ' SELECT c.chunk_id, %3$s AS rank FROM candidates c ORDER BY rank DESC, c.chunk_id LIMIT $6',
        scope_tables(scope, 'w.page_id'), scope_conditions(beyond_words, 'w.domain_id'),
        -- A term for each word: a subquery over them would take several times as long.
        (SELECT string_agg(format('$5[%1$s] * ts_rank(''{0.2, 0.2, 0.5, 1}'', c.words, $4[%1$s])', i), ' + ')
            FROM generate_subscripts(words, 1) i))
        USING scope, all_words, rare_words, words, weights, most, most_candidates;
END $$;

-- Of a search: where a chunk stands by meaning and by words (null: not among those looked at), and both as one score.
CREATE TYPE search_hit AS (
    chunk_id bigint, vector_rank bigint, distance double precision, text_rank bigint, text_score double precision,
    score double precision);

-- The best `pool` chunks by meaning and by words, fused by reciprocal rank (k = 60).
CREATE FUNCTION fused_chunks(scope search_scope, query halfvec, question text, pool integer)
RETURNS SETOF search_hit LANGUAGE sql STABLE AS $$
    WITH nearest AS MATERIALIZED (
        SELECT n.chunk_id, n.distance, row_number() OVER (ORDER BY n.distance, n.chunk_id) AS place
        FROM nearest_chunks(scope, query, pool) n WHERE query IS NOT NULL
    ), matching AS MATERIALIZED (
        SELECT m.chunk_id, m.rank, row_number() OVER (ORDER BY m.rank DESC, m.chunk_id) AS place
        FROM matching_chunks(scope, question, pool) m WHERE question IS NOT NULL
    )
    SELECT chunk_id, n.place, n.distance, m.place, m.rank,
        (coalesce(1.0 / (60 + n.place), 0) + coalesce(1.0 / (60 + m.place), 0))::double precision
    FROM nearest n FULL JOIN matching m USING (chunk_id)
$$;

-- Hits without further copies of a text that stands in several places, and at most per_page of each page; null does
-- not restrict.
CREATE FUNCTION varied_hits(hits search_hit[], per_page integer, most integer) RETURNS search_hit[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(
        SELECT v.hit FROM (
            SELECT u.hit, u.is_first, row_number() OVER (PARTITION BY u.page_id, u.is_first ORDER BY u.score DESC, u.id) AS place
            FROM (
                SELECT h AS hit, h.score, c.id, c.page_id,
                    row_number() OVER (PARTITION BY c.text_hash ORDER BY h.score DESC, c.id) = 1 AS is_first
                FROM unnest(hits) h JOIN chunks c ON c.id = h.chunk_id
            ) u
        ) v
        WHERE per_page IS NULL OR v.is_first AND v.place <= per_page
        ORDER BY (v.hit).score DESC, (v.hit).chunk_id LIMIT most)
$$;

-- The published chunks that answer best, in one statement, so that an answer is never torn between two moments.
-- With `query` (a vector of the active model) by meaning, with `question` by words, with both by both. `only_model`
-- (embedding_models.id) says with which model the query was made: once another one is active, there is no answer.
-- `distance` is the cosine distance to the query, 0 (same direction) to 2.
DROP FUNCTION search_chunks(halfvec, integer, text, smallint);
CREATE FUNCTION search_chunks(
    query halfvec DEFAULT NULL, most integer DEFAULT 10, only_host text DEFAULT NULL, only_model smallint DEFAULT NULL,
    question text DEFAULT NULL, only_organization text DEFAULT NULL, url_prefix text DEFAULT NULL,
    only_language text DEFAULT NULL, seen_within interval DEFAULT NULL, per_page integer DEFAULT NULL)
RETURNS TABLE (
    chunk_id bigint, organization text, host text, url text, title text, language text, heading_path text[], text text,
    last_seen_at timestamptz, score double precision, vector_rank bigint, distance double precision, text_rank bigint,
    text_score double precision, trust text)
LANGUAGE plpgsql STABLE
-- Planning for the very values takes longer than what it saves; what is executed from a text is planned for them anyway.
SET plan_cache_mode = 'force_generic_plan'
AS $$
DECLARE
    scope search_scope;
    -- Ranks beyond a hundred hardly move a fused score.
    pool integer := CASE WHEN per_page IS NULL AND (query IS NULL OR question IS NULL) THEN most ELSE greatest(most, 100) END;
    fused search_hit[];
    hits search_hit[];
BEGIN
    SELECT m.id, m.dimensions, NULL, url_prefix, NULL, now() - seen_within INTO scope
    FROM embedding_models m WHERE m.status = 'active' AND m.id = coalesce(only_model, m.id);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF only_host IS NOT NULL OR only_organization IS NOT NULL OR url_prefix ~ '^https?://[^/]+/' THEN
        scope.domain_ids := ARRAY(
            SELECT d.id FROM domains d JOIN organizations o ON o.id = d.organization_id
            WHERE (only_host IS NULL OR d.host = only_host) AND (only_organization IS NULL OR o.name = only_organization)
                -- The pages of www.example.org may be of the domain example.org, and the other way round.
                AND ((url_prefix ~ '^https?://[^/]+/') IS NOT TRUE OR d.host = ANY (
                    SELECT unnest(ARRAY[h, 'www.' || h]) FROM replace(split_part(url_prefix, '/', 3), 'www.', '') h)));
    END IF;
    IF only_language IS NOT NULL THEN
        scope.languages := ARRAY(
            SELECT l.language FROM published_languages(scope.model_id) l
            WHERE lower(l.language) = lower(only_language) OR starts_with(lower(l.language), lower(only_language) || '-'));
    END IF;
    LOOP
        fused := ARRAY(SELECT f FROM fused_chunks(scope, query, question, pool) f);
        hits := varied_hits(fused, per_page, most);
        -- Where copies and full pages leave too few, a larger pool has more, unless this one was not filled.
        EXIT WHEN cardinality(hits) >= most OR cardinality(fused) < pool;
        pool := pool * 10;
    END LOOP;
    RETURN QUERY
        SELECT h.chunk_id, o.name, d.host, p.url, r.title, r.language, c.heading_path, c.text, p.checked_at, h.score,
            h.vector_rank, h.distance, h.text_rank, h.text_score, 'untrusted'
        FROM unnest(hits) h
        JOIN chunks c ON c.id = h.chunk_id
        JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.state = 'live'
        JOIN raw_pages p ON p.id = c.page_id
        JOIN domains d ON d.id = c.domain_id
        JOIN organizations o ON o.id = d.organization_id
        ORDER BY h.score DESC, h.chunk_id;
END $$;

-- As before, and whose domain it is, where the chunk stands on its page, and what to think of all this text: it is a
-- site's, so it is escaped where it is shown, and no instruction in it is followed.
CREATE OR REPLACE VIEW live_chunks AS
SELECT c.id AS chunk_id, d.organization_id, d.host, p.url, r.title, r.language, c.position, c.heading_path, c.text,
    c.token_count, r.published_at, p.checked_at AS last_seen_at, e.embedding, o.name AS organization, c.start_offset,
    'untrusted'::text AS trust
FROM embedding_models m
JOIN embeddings e ON e.model_id = m.id
JOIN chunks c ON c.id = e.chunk_id
JOIN page_revisions r ON r.page_id = c.page_id AND r.model_id = c.model_id AND r.state = 'live'
JOIN raw_pages p ON p.id = c.page_id
JOIN domains d ON d.id = c.domain_id
JOIN organizations o ON o.id = d.organization_id
WHERE m.status = 'active';
COMMENT ON FUNCTION search_chunks IS 'The published chunks that answer best: by meaning (query: a vector of the active model), by words (question), or by both. Reads only.';
