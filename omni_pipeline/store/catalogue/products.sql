-- name: owners
SELECT key, product_id FROM product_keys WHERE domain_id = %(domain_id)s AND key = ANY (%(keys)s)

-- name: known
SELECT p.id AS product_id, p.name, array_agg(k.key) AS keys
FROM products p JOIN product_keys k ON k.product_id = p.id
WHERE p.id = ANY (%(product_ids)s) GROUP BY p.id

-- name: reserve_ids
SELECT nextval(pg_get_serial_sequence('products', 'id')) FROM generate_series(1, %(count)s)

-- name: add
INSERT INTO products (id, domain_id, identity, page_id, position, url, fence) OVERRIDING SYSTEM VALUE
SELECT id, %(domain_id)s, identity, page_id, 0, url, %(fence)s
FROM unnest(%(product_ids)s::bigint[], %(identities)s::text[], %(page_ids)s::bigint[], %(urls)s::text[])
    AS n (id, identity, page_id, url)

-- name: merge
-- The one that goes keeps its snapshots, which count as the other's; what pages show of it is the other's now.
WITH merged AS (
    UPDATE products p SET merged_into = m.into_id, status = 'delisted', delisted_at = coalesce(p.delisted_at, now()),
        vanished_at = NULL, vanishing_confirmed_at = NULL
    FROM unnest(%(product_ids)s::bigint[], %(into_ids)s::bigint[]) AS m (id, into_id)
    WHERE p.id = m.id OR p.merged_into = m.id
    RETURNING m.id, m.into_id
), seen AS (
    UPDATE product_listings s SET product_id = m.into_id FROM merged m WHERE s.product_id = m.id
)
DELETE FROM held_prices h USING merged m WHERE h.product_id = m.id

-- name: keep_keys
INSERT INTO product_keys AS k (domain_id, key, product_id)
SELECT %(domain_id)s, key, product_id FROM unnest(%(keys)s::text[], %(product_ids)s::bigint[]) AS n (key, product_id)
ORDER BY key
ON CONFLICT (domain_id, key) DO UPDATE SET product_id = excluded.product_id
WHERE k.product_id <> excluded.product_id

-- name: forget_listings
DELETE FROM product_listings WHERE page_id = ANY (%(page_ids)s) RETURNING product_id

-- name: save_listings
INSERT INTO product_listings (page_id, position, domain_id, product_id, is_detail, shown)
SELECT page_id, position, %(domain_id)s, product_id, is_detail, shown
FROM unnest(%(page_ids)s::bigint[], %(positions)s::int[], %(product_ids)s::bigint[], %(are_details)s::bool[],
    %(shown)s::jsonb[]) AS n (page_id, position, product_id, is_detail, shown)

-- name: show
SELECT show_products(%(product_ids)s)

-- name: vanished
-- Listed products that no page shows.
SELECT p.id, p.vanishing_confirmed_at IS NOT NULL FROM products p
WHERE p.domain_id = %(domain_id)s AND p.status = 'listed'
    AND NOT EXISTS (SELECT FROM product_listings s WHERE s.product_id = p.id)
ORDER BY p.id

-- name: hold
UPDATE products SET vanished_at = now() WHERE id = ANY (%(product_ids)s) AND vanished_at IS NULL

-- name: delist
UPDATE products SET status = 'delisted', delisted_at = now(), vanished_at = NULL, vanishing_confirmed_at = NULL,
    fence = %(fence)s
WHERE id = ANY (%(product_ids)s)

-- name: note_seen
-- Pages that were looked at and are unchanged still show their products.
UPDATE products p SET last_seen_at = r.checked_at, fence = %(fence)s
FROM raw_pages r
WHERE p.domain_id = %(domain_id)s AND p.status = 'listed' AND p.vanished_at IS NULL AND r.id = p.page_id
    AND p.last_seen_at < r.checked_at

-- name: numbers
SELECT count(*) FILTER (WHERE status = 'listed') AS listed,
    count(*) FILTER (WHERE status = 'delisted' AND merged_into IS NULL) AS delisted,
    count(*) FILTER (WHERE vanished_at IS NOT NULL AND vanishing_confirmed_at IS NULL) AS held,
    count(*) FILTER (WHERE status = 'listed' AND current_price_amount IS NOT NULL AND current_price_currency IS NULL)
        AS without_currency
FROM products WHERE domain_id = %(domain_id)s

-- name: own_pages
-- Pages about one product, and those of them that show no price.
SELECT count(*) AS pages, count(*) FILTER (
    WHERE shown ->> 'price_amount' IS NULL AND coalesce(shown ->> 'price_kind', '') <> 'on_request'
        AND coalesce(shown ->> 'availability', '') NOT IN ('out_of_stock', 'sold_out', 'discontinued', 'reserved')) AS without_price
FROM product_listings WHERE domain_id = %(domain_id)s AND is_detail

-- name: confirm_vanished
UPDATE products SET vanishing_confirmed_at = now()
WHERE domain_id = %(domain_id)s AND vanished_at IS NOT NULL AND vanishing_confirmed_at IS NULL

-- name: of_domain
SELECT p.*, p.id AS product_id, s.price_text, s.regular_price_amount, c.changed_at AS price_changed_at,
    h.price_amount AS held_price_amount, h.price_currency AS held_price_currency
FROM products p
LEFT JOIN LATERAL (
    SELECT price_text, regular_price_amount FROM price_snapshots WHERE product_id = p.id ORDER BY job_id DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT observed_at AS changed_at FROM price_snapshots WHERE product_id = p.id AND is_change
    ORDER BY job_id DESC LIMIT 1
) c ON true
LEFT JOIN held_prices h ON h.product_id = p.id
WHERE p.domain_id = %(domain_id)s AND p.merged_into IS NULL
    AND (%(seconds)s::float8 IS NULL
        OR greatest(c.changed_at, p.first_seen_at, p.delisted_at) >= now() - make_interval(secs => %(seconds)s))
ORDER BY p.status DESC, p.name, p.id
LIMIT %(limit)s

-- name: find
-- By number, or by any of its names, numbers and addresses; the products of all domains when none is named.
SELECT p.id AS product_id, d.host, p.status, p.name, p.url, p.identity, p.delisted_at
FROM products p JOIN domains d ON d.id = p.domain_id
WHERE p.merged_into IS NULL AND (%(host)s::text IS NULL OR d.host = %(host)s)
    AND (p.id::text = %(wanted)s OR p.url = %(wanted)s OR p.identity = %(wanted)s OR lower(p.sku) = lower(%(wanted)s)
        OR p.gtin = %(wanted)s OR strpos(lower(p.name), lower(%(wanted)s)) > 0)
ORDER BY (p.id::text = %(wanted)s) DESC, (lower(p.name) = lower(%(wanted)s)) IS TRUE DESC, p.status DESC, p.id
LIMIT %(limit)s
