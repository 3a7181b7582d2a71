-- name: search
SELECT chunk_id, host, url, title, heading_path, text, last_seen_at, distance
FROM search_chunks(%(vector)s::halfvec, %(most)s, %(host)s, %(model_id)s::smallint)
