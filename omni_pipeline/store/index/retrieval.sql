-- name: search
SELECT * FROM search_chunks(
    query => %(vector)s::halfvec, question => %(question)s::text, most => %(limit)s::integer,
    per_page => %(per_page)s::integer, only_model => %(model_id)s::smallint, only_organization => %(organization)s::text,
    only_host => %(host)s::text, url_prefix => %(url_prefix)s::text, only_language => %(language)s::text,
    seen_within => %(seen_within)s::interval)
