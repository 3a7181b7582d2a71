-- Search that ranks by what is in its scope alone, finds words of every script, and fuses both ways by their scores.
--
-- All published words are made anew, beside the old ones, which search reads until the very end; writers wait, readers
-- do not. It takes some five minutes of one processor for each million chunks, as many processes as the server has for
-- it, and as much disk once more as chunk_words has.

-- Punctuation, symbols, spaces and controls beyond ASCII (Unicode's categories P, S, Z and Cc) as a regular expression
-- takes them between brackets. Spelt out, as what Postgres takes for a letter depends on how a server was set up: under
-- LC_CTYPE C it is everything beyond ASCII.
CREATE FUNCTION word_separators() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    '\u0080-\u00A9\u00AB\u00AC\u00AE-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7\u02C2-\u02C5\u02D2-\u02DF'
    '\u02E5-\u02EB\u02ED\u02EF-\u02FF\u0375\u037E\u0384\u0385\u0387\u03F6\u0482\u055A-\u055F\u0589-\u058F\u05BE'
    '\u05C0\u05C3\u05C6\u05F3\u05F4\u0606-\u060F\u061B\u061D-\u061F\u066A-\u066D\u06D4\u06DE\u06E9\u06FD\u06FE'
    '\u0700-\u070D\u07F6-\u07F9\u07FE\u07FF\u0830-\u083E\u085E\u0888\u0964\u0965\u0970\u09F2\u09F3\u09FA\u09FB'
    '\u09FD\u0A76\u0AF0\u0AF1\u0B70\u0BF3-\u0BFA\u0C77\u0C7F\u0C84\u0D4F\u0D79\u0DF4\u0E3F\u0E4F\u0E5A\u0E5B'
    '\u0F01-\u0F17\u0F1A-\u0F1F\u0F34\u0F36\u0F38\u0F3A-\u0F3D\u0F85\u0FBE-\u0FC5\u0FC7-\u0FDA\u104A-\u104F\u109E'
    '\u109F\u10FB\u1360-\u1368\u1390-\u1399\u1400\u166D\u166E\u1680\u169B\u169C\u16EB-\u16ED\u1735\u1736'
    '\u17D4-\u17D6\u17D8-\u17DB\u1800-\u180A\u1940-\u1945\u19DE-\u19FF\u1A1E\u1A1F\u1AA0-\u1AA6\u1AA8-\u1AAD'
    '\u1B5A-\u1B6A\u1B74-\u1B7E\u1BFC-\u1BFF\u1C3B-\u1C3F\u1C7E\u1C7F\u1CC0-\u1CC7\u1CD3\u1FBD\u1FBF-\u1FC1'
    '\u1FCD-\u1FCF\u1FDD-\u1FDF\u1FED-\u1FEF\u1FFD-\u200A\u2010-\u2029\u202F-\u205F\u207A-\u207E\u208A-\u208E'
    '\u20A0-\u20C0\u2100\u2101\u2103-\u2106\u2108\u2109\u2114\u2116-\u2118\u211E-\u2123\u2125\u2127\u2129\u212E'
    '\u213A\u213B\u2140-\u2144\u214A-\u214D\u214F\u218A-\u244A\u249C-\u24E9\u2500-\u2775\u2794-\u2BFF'
    '\u2CE5-\u2CEA\u2CF9-\u2CFC\u2CFE\u2CFF\u2D70\u2E00-\u2E2E\u2E30-\u3004\u3008-\u3020\u3030\u3036\u3037'
    '\u303D-\u303F\u309B\u309C\u30A0\u30FB\u3190\u3191\u3196-\u319F\u31C0-\u31E3\u3200-\u321E\u322A-\u3247\u3250'
    '\u3260-\u327F\u328A-\u32B0\u32C0-\u33FF\u4DC0-\u4DFF\uA490-\uA4C6\uA4FE\uA4FF\uA60D-\uA60F\uA673\uA67E'
    '\uA6F2-\uA716\uA720\uA721\uA789\uA78A\uA828-\uA82B\uA836-\uA839\uA874-\uA877\uA8CE\uA8CF\uA8F8-\uA8FA\uA8FC'
    '\uA92E\uA92F\uA95F\uA9C1-\uA9CD\uA9DE\uA9DF\uAA5C-\uAA5F\uAA77-\uAA79\uAADE\uAADF\uAAF0\uAAF1\uAB5B\uAB6A'
    '\uAB6B\uABEB\uFB29\uFBB2-\uFBC2\uFD3E-\uFD4F\uFDCF\uFDFC-\uFDFF\uFE10-\uFE19\uFE30-\uFE6B\uFF01-\uFF0F'
    '\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFE0-\uFFEE\uFFFC\uFFFD\U0001D000-\U0001D1FF\U0001F000-\U0001FAFF';

-- Letters of scripts that do not part words by spaces, and of Hangul, whose words carry their particles: those that may
-- begin a syllable, and (with `marks`) those that only follow: Thai, Lao, Burmese, Khmer, Han, kana, Bopomofo, Hangul.
CREATE FUNCTION unspaced_letters(marks boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE WHEN marks
    THEN '\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u102B-\u1038\u103A-\u103E\u1056-\u1059'
        '\u105E-\u1060\u1062-\u1064\u1067-\u106D\u1071-\u1074\u1082-\u108D\u108F\u109A-\u109D\u17B4-\u17D1\u17D3\u17DD\u3099\u309A'
    ELSE '\u0E01-\u0E30\u0E32\u0E33\u0E40-\u0E46\u0E81-\u0EB0\u0EB2\u0EB3\u0EBD-\u0EC6\u0EDC-\u0EDF\u1000-\u102A\u103F'
        '\u1050-\u1055\u105A-\u105D\u1061\u1065\u1066\u106E-\u1070\u1075-\u1081\u108E\uAA60-\uAA7A\u1780-\u17B3\u17D7\u17DC'
        '\u1100-\u11FF\u3005-\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u31A0-\u31BF\u31F0-\u31FF'
        '\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3\uF900-\uFAFF\U00020000-\U000323AF' END;

-- Words without their accents, one space between each two; null where none has any.
CREATE FUNCTION without_accents(text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (
    SELECT string_agg(
        replace(replace(replace(translate(regexp_replace(normalize(m[1], NFD), '[\u0300-\u036F]', '', 'g'),
            'øØłŁđĐıёЁ', 'oOlLdDiеЕ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), ' ')
    -- Latin, Greek with accents, and ё.
    FROM regexp_matches(text, '([A-Za-z\u0370-\u03FF\u0400-\u045F]*'
        '[\u00C0-\u024F\u0386-\u0390\u03AA-\u03B0\u03CA-\u03CE\u1E00-\u1FFF\u0401\u0451][A-Za-z\u00C0-\u045F\u1E00-\u1FFF]*)', 'g') m);

-- What stands inside of a text's words beside their parts: E-4021, 77.310.022, a@b.example, pump_rate and self-priming
-- written as one (each two neighbours, and the whole), the parts of getFlowRate and of 25mm, and what C++, C# and .NET are called.
CREATE FUNCTION names_within(text text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    joined text;
    names text := '';
BEGIN
    IF text ~ '[0-9A-Za-z\u0080-\U0010FFFF][-._/:@+#~,][0-9A-Za-z\u0080-\U0010FFFF]' THEN
        SELECT string_agg(m[1], ' ') INTO joined FROM regexp_matches(text,
            '[0-9A-Za-z\u0080-\U0010FFFF]+(?:[-._/:@+#~,][0-9A-Za-z\u0080-\U0010FFFF]+)+', 'g') m;
        names := concat_ws(' ',
            regexp_replace(regexp_replace(joined,
                '[-._/:@+#~,]([^-._/:@+#~, ]+)(?=[-._/:@+#~,])', '\1 \1', 'g'), '[-._/:@+#~,]', '', 'g'),
            (SELECT string_agg(regexp_replace(m[1], '[-._/:@+#~,]', '', 'g'), ' ')
                FROM regexp_matches(joined, '(?:^| )([^ -]*(?:[-._/:@+#~,][^-._/:@+#~, ]+){2,8})(?= |$)', 'g') m));
    END IF;
    IF text ~ '[a-z][A-Z]' THEN
        names := concat_ws(' ', names, (
            SELECT string_agg(regexp_replace(m[1], '([a-z0-9])(?=[A-Z])|([A-Z])(?=[A-Z][a-z])', '\1\2 ', 'g'), ' ')
            FROM regexp_matches(text, '([A-Za-z0-9]*[a-z][A-Z][A-Za-z0-9]*)', 'g') m));
    END IF;
    IF text ~ '[0-9][A-Za-z]|[A-Za-z][0-9]' THEN
        names := concat_ws(' ', names, (
            SELECT string_agg(regexp_replace(m[1], '([0-9])(?=[A-Za-z])|([A-Za-z])(?=[0-9])', '\1\2 ', 'g'), ' ')
            FROM regexp_matches(text, '([0-9A-Za-z]*(?:[0-9][A-Za-z]|[A-Za-z][0-9])[0-9A-Za-z]*)', 'g') m
            -- Longer ones are hashes, of whose parts nobody asks.
            WHERE length(m[1]) <= 24));
    END IF;
    IF text ~ '[A-Za-z](\+\+|#)|(^|[^0-9A-Za-z.\u0080-\U0010FFFF])\.[A-Za-z]' THEN
        names := concat_ws(' ', names, (
            SELECT string_agg(coalesce(m[1] || CASE m[2] WHEN '#' THEN 'sharp' ELSE 'plusplus' END, 'dot' || m[3]), ' ')
            FROM regexp_matches(text,
                '([A-Za-z])(\+\+|#)(?![0-9A-Za-z])|(?:^|[^0-9A-Za-z.\u0080-\U0010FFFF])\.([A-Za-z][0-9A-Za-z]*)', 'g') m));
    END IF;
    RETURN names;
END $$;

-- A text as to_tsvector can read it, the same on every server; texts and questions alike. Scripts without spaces become
-- pairs of neighbouring letters, each with its marks: a word of two or more is then found inside of any sentence.
CREATE FUNCTION readable_text(text text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    -- What is cut off fits no chunk of any model; with it a tsvector could become too large to be stored.
    words text := left(text, 100000);
    names text;
BEGIN
    IF octet_length(words) <> length(words) THEN
        words := translate(words, E'\u2010\u2011\u00AD\u200C\u200D\u200E\u200F\u2060\uFEFF', '--');
        words := regexp_replace(words, '[' || word_separators() || '\u200B\u202A-\u202E\u2061-\u206F\uFFF9-\uFFFB]', ' ', 'g');
        -- 1½ is not 11.
        words := normalize(regexp_replace(words, '([\u00BC-\u00BE\u2150-\u215E])', ' \1', 'g'), NFKC);
        words := replace(words, E'\u2044', ' ');
    END IF;
    names := names_within(words);
    words := replace(replace(replace(replace(replace(replace(replace(replace(
        words, '.', ' '), '/', ' '), '-', ' '), '@', ' '), '<', ' '), '&', ' '), '+', ' '), '_', ' ') || ' ' || names;
    IF octet_length(words) <> length(words) THEN
        words := concat_ws(' ', words, without_accents(words));
        IF words ~ ('[' || unspaced_letters(false) || ']') THEN
            words := regexp_replace(words, format('([%s%s\u17D2\u1039]+)', unspaced_letters(false), unspaced_letters(true)), ' \1 ', 'g');
            words := regexp_replace(words, format('(?<=[%1$s%2$s])([%1$s](?:[\u17D2\u1039][%1$s]|[%2$s])*)(?=[%1$s])',
                unspaced_letters(false), unspaced_letters(true)), '\1 \1', 'g');
        END IF;
    END IF;
    RETURN words;
END $$;

CREATE OR REPLACE FUNCTION search_words(configuration regconfig, text text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector(configuration, readable_text(text));

-- Any text as one word of a tsquery.
CREATE FUNCTION quoted_word(word text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '''' || replace(replace(word, '\', '\\'), '''', '''''') || '''';

-- What full text search reads of a chunk. A: title, B: headings, D: text. Without positions: marks by which the index
-- alone restricts a search to a model, a domain, a language, and to samples of each of these, each level a quarter of
-- the level before; and, with a ^, the words of title and headings, stop words of the title included.
DROP FUNCTION make_words(smallint, bigint, text, text, text[], text);
CREATE FUNCTION make_words(model_id smallint, domain_id bigint, language text, title text, heading_path text[], text text)
RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_to_tsvector(m.marks) || setweight(p.title_words, 'A') || setweight(p.heading_words, 'B')
        || search_words(p.configuration, text)
    FROM (
        SELECT c.configuration, search_words(c.configuration, title) AS title_words,
            search_words(c.configuration, array_to_string(heading_path, ' ')) AS heading_words
        FROM (SELECT search_configuration(language) AS configuration OFFSET 0) c OFFSET 0
    ) p CROSS JOIN LATERAL (
        SELECT array_agg(a.mark) AS marks FROM (
            SELECT '^' || w AS mark FROM unnest(tsvector_to_array(p.title_words || p.heading_words)
                || tsvector_to_array(search_words('simple', title))) w
            UNION
            SELECT concat('=', model_id, '~' || nullif(level, 0), place)
            FROM generate_series(0, 8) level, unnest(ARRAY['', '/' || domain_id, ':' || lower(language)]) place
            WHERE place IS NOT NULL AND hashtextextended(text, 0) & ((1 << 2 * level) - 1) = 0
        ) a
    ) m;
END;

-- Changes when the words of a text do: with its language, title and headings. (The text under an id never changes.)
CREATE OR REPLACE FUNCTION source_hash(language text, title text, heading_path text[]) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN hashtextextended(jsonb_build_array(lower(language), title, heading_path)::text, 1);

-- All words anew. Nothing is published meanwhile; what is staged has its words made when it is published.
LOCK TABLE page_revisions, chunks IN SHARE ROW EXCLUSIVE MODE;
UPDATE staged_chunks SET words = NULL WHERE words IS NOT NULL;
CREATE TABLE new_chunk_words WITH (toast_tuple_target = 8160)
    AS SELECT c.domain_id, c.id AS chunk_id, c.page_id, source_hash(r.language, r.title, c.heading_path) AS source_hash,
        make_words(c.model_id, c.domain_id, r.language, r.title, c.heading_path, c.text) AS words
    FROM page_revisions r JOIN chunks c ON c.page_id = r.page_id AND c.model_id = r.model_id
    WHERE r.state = 'live';
ALTER TABLE new_chunk_words ALTER page_id SET NOT NULL, ALTER source_hash SET NOT NULL, ALTER words SET NOT NULL,
    ADD CONSTRAINT new_chunk_words_pkey PRIMARY KEY (domain_id, chunk_id);
CREATE INDEX new_chunk_words_by_word ON new_chunk_words USING gin (words);
ANALYZE new_chunk_words;

-- A language is now what was asked for: de stands for de-AT too, however many languages there are.
CREATE OR REPLACE FUNCTION scope_conditions(scope search_scope, domain_id text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN concat(
    CASE WHEN scope.domain_ids IS NOT NULL THEN format(' AND %s = ANY ($1.domain_ids)', domain_id) END,
    CASE WHEN scope.url_prefix IS NOT NULL THEN ' AND starts_with(p.url, $1.url_prefix)' END,
    CASE WHEN scope.seen_since IS NOT NULL THEN ' AND p.checked_at >= $1.seen_since' END,
    CASE WHEN scope.languages IS NOT NULL THEN
        ' AND EXISTS (SELECT FROM unnest($1.languages) l WHERE starts_with(lower(r.language) || ''-'', lower(l) || ''-''))' END);

-- The languages of a domain, without reading all of its pages.
CREATE INDEX page_revisions_by_domain_language ON page_revisions (domain_id, model_id, language) WHERE state = 'live';

-- The languages of a scope; null where some pages name none. Of the domains in scope, whatever else is in the index.
CREATE FUNCTION scope_languages(scope search_scope) RETURNS TABLE (language text) LANGUAGE sql STABLE AS $$
    SELECT unnest(scope.languages) WHERE scope.languages IS NOT NULL
    UNION
    SELECT p.language FROM published_languages(scope.model_id) p WHERE scope.languages IS NULL AND scope.domain_ids IS NULL
    UNION
    SELECT l.tag FROM unnest(scope.domain_ids) d (id) CROSS JOIN LATERAL (
        WITH RECURSIVE languages AS (
            SELECT (SELECT min(r.language) FROM page_revisions r
                WHERE r.domain_id = d.id AND r.model_id = scope.model_id AND r.state = 'live') AS tag
            UNION ALL
            SELECT (SELECT min(r.language) FROM page_revisions r
                WHERE r.domain_id = d.id AND r.model_id = scope.model_id AND r.state = 'live' AND r.language > l.tag)
            FROM languages l WHERE l.tag IS NOT NULL
        )
        (SELECT tag FROM languages WHERE tag IS NOT NULL LIMIT 100)
        UNION ALL
        (SELECT NULL FROM page_revisions r WHERE r.domain_id = d.id AND r.model_id = scope.model_id AND r.state = 'live'
            AND r.language IS NULL LIMIT 1)
    ) l WHERE scope.languages IS NULL
$$;

-- The words of a question as each language of the scope writes them; `place` tells which word of the question it is.
-- What the language that knows most of its words for stop words stops is left out in all of them, else `how` would be a
-- rare word among pages in other languages. Where nothing else is left, such words are looked for in titles (^).
-- A question is its first 64 words; more of them is a text that somebody pasted.
DROP FUNCTION question_words(search_scope, text);
CREATE FUNCTION question_words(scope search_scope, question text)
RETURNS TABLE (configuration regconfig, place integer, word text)
LANGUAGE sql STABLE AS $$
    WITH tokens AS MATERIALIZED (
        SELECT t.lexeme, t.positions[1] AS position FROM unnest(search_words('simple', left(question, 4000))) t
    ), configurations AS MATERIALIZED (
        SELECT DISTINCT search_configuration(l.language) AS configuration FROM scope_languages(scope) l
    ), forms AS MATERIALIZED (
        SELECT c.configuration, position, w.lexeme FROM configurations c
        CROSS JOIN LATERAL unnest(search_words(c.configuration, left(question, 4000))) w
        CROSS JOIN LATERAL unnest(w.positions) position
    ), knowing AS (
        SELECT configuration, rank() OVER (ORDER BY count(f.position)) AS place
        FROM configurations c CROSS JOIN tokens t LEFT JOIN forms f USING (configuration, position)
        GROUP BY configuration
    ), content AS MATERIALIZED (
        SELECT t.position, t.lexeme, row_number() OVER (ORDER BY t.position) AS place FROM tokens t
        WHERE NOT EXISTS (SELECT FROM knowing k WHERE k.place = 1 AND NOT EXISTS (
            SELECT FROM forms f WHERE f.configuration = k.configuration AND f.position = t.position))
    )
    SELECT f.configuration, c.place::integer, f.lexeme
    FROM content c JOIN forms f USING (position) WHERE c.place <= 64
    UNION ALL
    SELECT 'simple', t.position, '^' || t.lexeme FROM tokens t WHERE NOT EXISTS (SELECT FROM content) AND t.position <= 64
$$;

-- The part of a scope that the index of the words alone decides, as a query of them: level 0 is all of it, each further
-- level a quarter of the one before, the same chunks however often it is asked.
CREATE FUNCTION scope_marks(scope search_scope, level integer) RETURNS tsquery LANGUAGE sql IMMUTABLE RETURN (
    SELECT concat_ws('&', quoted_word(m.mark), (
        SELECT '(' || string_agg(quoted_word(concat(m.mark, '/', d)), '|') || ')'
        FROM unnest(scope.domain_ids) d WHERE cardinality(scope.domain_ids) <= 100
    ), (
        SELECT '(' || string_agg(format('%s|%s:*', quoted_word(l.mark), quoted_word(l.mark || '-')), '|') || ')'
        FROM (SELECT concat(m.mark, ':', lower(l)) AS mark FROM unnest(scope.languages) l) l
    ))::tsquery
    FROM (SELECT concat('=', scope.model_id, '~' || nullif(level, 0)) AS mark) m);

-- What of a scope its marks do not decide.
CREATE FUNCTION beyond_marks(scope search_scope) RETURNS search_scope LANGUAGE sql IMMUTABLE
RETURN ROW(scope.model_id, scope.dimensions, CASE WHEN cardinality(scope.domain_ids) > 100 THEN scope.domain_ids END,
    scope.url_prefix, NULL, scope.seen_since)::search_scope;

-- The level at which a sample of so many chunks has at most that many, about; make_words marks eight levels.
CREATE FUNCTION sample_level(chunks double precision, most double precision) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN least(greatest(0, ceil(ln(greatest(chunks, 1) / most) / ln(4))), 8)::integer;

-- How many chunks are in a scope, counted in the largest sample that is small: near enough to weigh words with, and the
-- same as long as the scope is. Where pages have to be looked up, samples below `least_level` would be too many of them.
CREATE FUNCTION count_chunks(scope search_scope, OUT chunks double precision, OUT least_level integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    beyond CONSTANT search_scope := beyond_marks(scope);
    sampled bigint;
BEGIN
    least_level := 0;
    FOR level IN REVERSE 6..0 BY 2 LOOP
        SELECT count(*) INTO sampled FROM chunk_words w WHERE w.words @@ scope_marks(scope, level);
        chunks := sampled * 4 ^ level;
        EXIT WHEN sampled >= 100;
    END LOOP;
    IF restricts_pages(beyond) OR beyond.domain_ids IS NOT NULL THEN
        least_level := sample_level(chunks, 4000);
        EXECUTE format('SELECT count(*) FROM chunk_words w%s WHERE w.words @@ $2%s',
            scope_tables(beyond, 'w.page_id'), scope_conditions(beyond, 'w.domain_id'))
            INTO sampled USING scope, scope_marks(scope, least_level);
        chunks := sampled * 4 ^ least_level;
    END IF;
END $$;

-- Any of the words, or all of them; null where there is none.
CREATE FUNCTION joined_query(words tsquery[], operator text) RETURNS tsquery LANGUAGE sql IMMUTABLE RETURN (
    SELECT string_agg('(' || w::text || ')', operator) FROM unnest(words) w)::tsquery;

-- In how many chunks of a scope a query is right: counted in ever larger samples, from `level` on, until there are enough
-- of them to tell, or nothing is left to count. What is rare is counted exactly.
CREATE FUNCTION count_matches(scope search_scope, query tsquery, level integer, least_level integer)
RETURNS double precision LANGUAGE plpgsql STABLE AS $$
DECLARE
    beyond CONSTANT search_scope := beyond_marks(scope);
    found bigint;
BEGIN
    LOOP
        IF restricts_pages(beyond) OR beyond.domain_ids IS NOT NULL THEN
            EXECUTE format('SELECT count(*) FROM chunk_words w%s WHERE w.words @@ $2%s',
                scope_tables(beyond, 'w.page_id'), scope_conditions(beyond, 'w.domain_id'))
                INTO found USING scope, scope_marks(scope, level) && query;
        ELSE
            SELECT count(*) INTO found FROM chunk_words w WHERE w.words @@ (scope_marks(scope, level) && query);
        END IF;
        IF found >= 20 OR level <= least_level THEN
            RETURN found * 4 ^ level;
        END IF;
        level := greatest(level - 2, least_level);
    END LOOP;
END $$;

-- Of a scope with more chunks than this, not every chunk that has words of a question is read.
CREATE FUNCTION few_chunks() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 2000;

-- What to read of a large scope: the rarest words of a question, as many as together are in `most` chunks; of the
-- others, where they are in titles and headings; and the chunks with all of the words. Where that is little, of those
-- with any word a part that is always the same. `counts` are how many chunks have each word.
CREATE FUNCTION chunks_to_read(
    scope search_scope, words tsquery[], in_titles tsquery[], counts double precision[], level integer,
    least_level integer, most double precision, OUT is_read boolean[], OUT candidates tsquery)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    expected double precision;
    count_of_all CONSTANT double precision := count_matches(scope, joined_query(words, '&'), level, least_level);
BEGIN
    SELECT array_agg(sum <= most ORDER BY i) INTO is_read
    FROM (SELECT i, sum(counts[i]) OVER (ORDER BY counts[i], i) FROM generate_subscripts(words, 1) i) summed;
    WITH titled AS (
        SELECT i, count_matches(scope, in_titles[i], level, least_level) AS chunks
        FROM generate_subscripts(words, 1) i WHERE NOT is_read[i]
    ), chosen AS (
        SELECT words[i] AS query, counts[i] AS chunks FROM generate_subscripts(words, 1) i WHERE is_read[i]
        UNION ALL
        SELECT in_titles[i], chunks FROM (SELECT *, sum(chunks) OVER (ORDER BY chunks, i) FROM titled) t WHERE sum <= most
        UNION ALL
        SELECT joined_query(words, '&'), count_of_all WHERE count_of_all <= most
    )
    SELECT scope_marks(scope, 0) && joined_query(array_agg(query), '|'), coalesce(sum(chunks), 0)
    INTO candidates, expected FROM chosen;
    IF expected < 0.25 * most THEN
        level := greatest(sample_level((SELECT sum(c) FROM unnest(counts) c), most) - 1, 0);
        candidates := coalesce(candidates || (scope_marks(scope, level) && joined_query(words, '|')),
            scope_marks(scope, level) && joined_query(words, '|'));
    END IF;
END $$;

-- The chunks of a scope that have words of the question, and how well they fit them: BM25 with the frequencies that the
-- words have in the scope. Nothing else in the index, no statistics of the planner and no chance has a say in it.
-- A scope of few chunks is read whole. Of a large one, see chunks_to_read.
DROP FUNCTION matching_chunks(search_scope, text, integer);
CREATE OR REPLACE FUNCTION matching_chunks(
    scope search_scope, scope_chunks double precision, least_level integer, question text, most integer)
RETURNS TABLE (chunk_id bigint, rank double precision)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    most_candidates CONSTANT double precision := greatest(0.3 * few_chunks(), 4 * most);
    beyond CONSTANT search_scope := beyond_marks(scope);
    level CONSTANT integer := greatest(sample_level(scope_chunks, most_candidates), least_level);
    words tsquery[];
    in_titles tsquery[];
    numbers integer[];
    counts double precision[];
    is_read boolean[];
    candidates tsquery;
BEGIN
    SELECT array_agg(w.word ORDER BY w.place), array_agg(w.in_title ORDER BY w.place) INTO words, in_titles FROM (
        SELECT place, string_agg(DISTINCT quoted_word(word) || CASE
                -- The first part of a compound.
                WHEN configuration::text IN ('german', 'dutch', 'danish', 'norwegian', 'swedish', 'finnish') AND length(word) >= 6
                THEN ':*' ELSE '' END, '|')::tsquery AS word,
            string_agg(DISTINCT quoted_word('^' || ltrim(word, '^')), '|')::tsquery AS in_title
        FROM question_words(scope, question) GROUP BY place
    ) w;
    IF words IS NULL THEN
        RETURN;
    END IF;
    numbers := ARRAY(SELECT generate_subscripts(words, 1));
    candidates := scope_marks(scope, 0) && joined_query(words, '|');
    is_read := array_fill(true, ARRAY[cardinality(words)]);
    IF scope_chunks > few_chunks() THEN
        counts := ARRAY(SELECT count_matches(scope, words[i], level, least_level) FROM unnest(numbers) i ORDER BY i);
        SELECT r.is_read, r.candidates INTO is_read, candidates
        FROM chunks_to_read(scope, words, in_titles, counts, level, least_level, most_candidates) r;
    END IF;
    RETURN QUERY EXECUTE format(
        'WITH found AS MATERIALIZED ('
        '    SELECT w.chunk_id, length(w.words) * 0.009::float8 + 0.3::float8 AS size, %3$s'
        '    FROM chunk_words w%1$s WHERE w.words @@ $2%2$s'
        '), weights AS (SELECT %5$s FROM (SELECT %4$s FROM found) counted)'
        ' SELECT chunk_id, %6$s AS rank FROM found, weights ORDER BY rank DESC, chunk_id LIMIT $6',
        scope_tables(beyond, 'w.page_id'), scope_conditions(beyond, 'w.domain_id'),
        -- A term for each word: a subquery over them would take several times as long. ts_rank of one word is near
        -- tf / (tf + 0.65), of several forms of one their mean; `size` is BM25's k1 = 1.2 and b = 0.75 for chunks of
        -- 100 different words in the mean.
        (SELECT string_agg(format('least(%2$s * ts_rank(''{0.6,0.6,0.8,1}'', w.words, $3[%1$s]), 1::float8) AS r%1$s',
            i, numnode(words[i]) / 2 + 1), ', ') FROM unnest(numbers) i),
        (SELECT string_agg(format(CASE WHEN is_read[i] THEN 'count(*) FILTER (WHERE r%1$s > 0) AS n%1$s'
            ELSE '$4[%1$s] AS n%1$s' END, i), ', ') FROM unnest(numbers) i),
        (SELECT string_agg(format('ln(1 + (greatest($5 - n%1$s, 0) + 0.5::float8) / (n%1$s + 0.5::float8)) AS w%1$s', i), ', ')
            FROM unnest(numbers) i),
        (SELECT string_agg(format('w%1$s * r%1$s / (r%1$s + size * (1 - r%1$s))', i), ' + ') FROM unnest(numbers) i))
        USING scope, candidates, words, counts, scope_chunks, most;
END $$;

-- Whether so few chunks are in the scope that comparing all of them is fast. Where pages have to be looked up as well, a
-- chunk costs ten times as much.
CREATE OR REPLACE FUNCTION is_small(scope search_scope) RETURNS boolean LANGUAGE sql STABLE
RETURN (scope.domain_ids IS NOT NULL OR restricts_pages(scope))
    AND (SELECT c.chunks FROM count_chunks(scope) c) <= CASE WHEN restricts_pages(scope) THEN 2000 ELSE 20000 END;

-- The best `pool` chunks by meaning and by words. Their score is what one way gives them or, of both, a sum: by words
-- their part of the best one's score; by meaning how many standard deviations they are nearer than the mean of the
-- scope, counted in a sample. A model that cannot read a language finds nothing to stand out, and so has little to say,
-- where a sum of ranks would let it scatter what words have found.
CREATE OR REPLACE FUNCTION fused_chunks(scope search_scope, query halfvec, question text, pool integer)
RETURNS SETOF search_hit LANGUAGE plpgsql STABLE AS $$
DECLARE
    text_weight CONSTANT double precision := 0.4;
    vector_weight CONSTANT double precision := 0.12;
    beyond CONSTANT search_scope := beyond_marks(scope);
    scope_chunks double precision;
    least_level integer;
    sample_mean double precision;
    sample_deviation double precision;
BEGIN
    IF question IS NULL THEN
        RETURN QUERY SELECT n.chunk_id, row_number() OVER (ORDER BY n.distance, n.chunk_id), n.distance,
            NULL::bigint, NULL::double precision, 1 - n.distance FROM nearest_chunks(scope, query, pool) n;
        RETURN;
    END IF;
    SELECT c.chunks, c.least_level INTO scope_chunks, least_level FROM count_chunks(scope) c;
    IF query IS NULL THEN
        RETURN QUERY SELECT m.chunk_id, NULL::bigint, NULL::double precision,
            row_number() OVER (ORDER BY m.rank DESC, m.chunk_id), m.rank, m.rank
            FROM matching_chunks(scope, scope_chunks, least_level, question, pool) m;
        RETURN;
    END IF;
    -- Of whole numbers, whose sums do not depend on their order.
    EXECUTE format('SELECT avg(millionths) / 1e6, nullif(stddev_pop(millionths), 0) / 1e6 FROM ('
        'SELECT (1e6 * (e.embedding <=> $2))::bigint AS millionths FROM chunk_words w JOIN embeddings e USING (chunk_id)%s'
        ' WHERE w.words @@ $3%s) sample', scope_tables(beyond, 'w.page_id'), scope_conditions(beyond, 'w.domain_id'))
        INTO sample_mean, sample_deviation USING scope, query, 
                scope_marks(scope, greatest(sample_level(scope_chunks, 0.1 * few_chunks()), least_level));
    RETURN QUERY
        WITH nearest AS MATERIALIZED (
            SELECT n.chunk_id, n.distance, row_number() OVER (ORDER BY n.distance, n.chunk_id) AS place,
                avg(n.distance) OVER () AS mean, nullif(stddev_pop(n.distance) OVER (), 0) AS deviation
            FROM nearest_chunks(scope, query, pool) n
        ), matching AS MATERIALIZED (
            SELECT m.chunk_id, m.rank, row_number() OVER (ORDER BY m.rank DESC, m.chunk_id) AS place,
                m.rank / nullif(max(m.rank) OVER (), 0) AS part
            FROM matching_chunks(scope, scope_chunks, least_level, question, pool) m
        ), found AS (
            SELECT coalesce(n.chunk_id, m.chunk_id) AS chunk_id, n.place AS vector_place, m.place AS text_place, m.rank,
                coalesce(m.part, 0) AS part, coalesce(n.distance,
                    (SELECT e.embedding <=> query FROM embeddings e WHERE e.chunk_id = m.chunk_id)) AS distance
            FROM nearest n FULL JOIN matching m ON m.chunk_id = n.chunk_id
        ), spread AS (
            -- Of a scope with less than a sample all is near.
            SELECT coalesce(sample_mean, max(n.mean)) AS mean, coalesce(sample_deviation, max(n.deviation)) AS deviation
            FROM nearest n
        )
        SELECT f.chunk_id, f.vector_place, f.distance, f.text_place, f.rank,
            text_weight * f.part + vector_weight * coalesce((s.mean - f.distance) / s.deviation, 0)
        FROM found f CROSS JOIN spread s;
END $$;

-- The published chunks that answer best, in one statement, so that an answer is never torn between two moments.
-- With `query` (a vector of the active model) by meaning, with `question` by words, with both by both. `only_model`
-- (embedding_models.id) says with which model the query was made: once another one is active, there is no answer.
-- `distance` is the cosine distance to the query, 0 (same direction) to 2.
CREATE OR REPLACE FUNCTION search_chunks(
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
-- Without statistics of new tables, reading all of one looks cheaper than it is.
SET enable_seqscan = 'off'
AS $$
DECLARE
    scope search_scope;
    -- Beyond a hundred there is hardly one that both ways together would bring to the top.
    pool integer := CASE WHEN per_page IS NULL AND (query IS NULL OR question IS NULL) THEN most ELSE greatest(most, 100) END;
    fused search_hit[];
    hits search_hit[];
BEGIN
    IF most IS NULL OR most NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('most is %s: it is how many answers there are to be, 1 to 1000', coalesce(most::text, 'NULL'));
    ELSIF per_page < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('per_page is %s: at least 1, or NULL for no limit', per_page);
    END IF;
    SELECT m.id, m.dimensions, NULL, url_prefix, ARRAY[only_language], now() - seen_within INTO scope
    FROM embedding_models m WHERE m.status = 'active' AND m.id = coalesce(only_model, m.id);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF vector_dims(query) <> scope.dimensions THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('query has %s dimensions and the active model %s: embed the question with that model',
                vector_dims(query), scope.dimensions);
    ELSIF l2_norm(query) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'query is a vector of zeros, which is near to nothing: embed a question with the active model';
    END IF;
    IF only_host IS NOT NULL OR only_organization IS NOT NULL OR url_prefix ~ '^https?://[^/]' THEN
        scope.domain_ids := ARRAY(
            SELECT d.id FROM domains d JOIN organizations o ON o.id = d.organization_id
            WHERE (only_host IS NULL OR d.host = only_host) AND (only_organization IS NULL OR o.name = only_organization)
                -- The pages of www.example.org may be of the domain example.org, and the other way round.
                AND ((url_prefix ~ '^https?://[^/]') IS NOT TRUE OR EXISTS (
                    SELECT FROM unnest(ARRAY[d.host, 'www.' || d.host, regexp_replace(d.host, '^www[.]', '')]) h
                    WHERE CASE WHEN url_prefix ~ '^https?://[^/]+/' THEN h = split_part(url_prefix, '/', 3)
                        ELSE starts_with(h, split_part(url_prefix, '/', 3)) END)));
    END IF;
    IF only_language IS NULL THEN
        scope.languages := NULL;
    END IF;
    IF cardinality(scope.domain_ids) = 0 THEN
        RETURN;
    END IF;
    LOOP
        fused := ARRAY(SELECT f FROM fused_chunks(scope, query, question, pool) f);
        hits := CASE WHEN per_page IS NULL THEN
            ARRAY(SELECT f FROM unnest(fused) f ORDER BY f.score DESC, f.chunk_id LIMIT most)
            ELSE varied_hits(fused, per_page, most) END;
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

ALTER FUNCTION nearest_chunks(search_scope, halfvec, integer) SET enable_seqscan = 'on';

-- Whatever the search_path of the application that asks; pgvector may be in a schema of its own.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION search_chunks SET search_path = pg_catalog, %I, %I, pg_temp', current_schema(),
        (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'));
END $$;

-- At the very end, as readers have to wait from here on.
DROP TABLE chunk_words;
ALTER TABLE new_chunk_words RENAME TO chunk_words;
ALTER INDEX new_chunk_words_pkey RENAME TO chunk_words_pkey;
ALTER INDEX new_chunk_words_by_word RENAME TO chunk_words_by_word;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON chunk_words EXECUTE FUNCTION refuse_truncate();
