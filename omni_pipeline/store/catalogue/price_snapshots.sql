-- name: seen
-- What the best page of each listed product shows, beside what is known of its price.
SELECT p.id AS product_id, p.name, r.url AS page_url, s.shown ->> 'price_kind' AS price_kind,
    (s.shown ->> 'price_amount')::numeric AS price_amount, s.shown ->> 'price_currency' AS price_currency,
    s.shown ->> 'price_text' AS price_text, (s.shown ->> 'regular_price_amount')::numeric AS regular_price_amount,
    s.shown ->> 'availability' AS availability,
    n.job_id IS NOT NULL AS is_known, n.price_kind AS newest_kind, n.price_amount AS newest_amount,
    n.price_currency AS newest_currency, n.availability AS newest_availability,
    l.price_amount AS last_amount, l.price_currency AS last_currency,
    h.price_amount AS held_amount, h.price_currency AS held_currency,
    coalesce(h.job_id <> %(job_id)s AND r.checked_at > h.held_at, false) AS is_second_look,
    coalesce(n.observed_at < date_trunc('day', r.checked_at, 'UTC'), false) AS is_new_day
FROM products p
JOIN product_listings s ON s.page_id = p.page_id AND s.position = p.position AND s.product_id = p.id
JOIN raw_pages r ON r.id = p.page_id
LEFT JOIN LATERAL (
    SELECT * FROM price_snapshots WHERE product_id = p.id ORDER BY job_id DESC LIMIT 1
) n ON true
LEFT JOIN LATERAL (
    SELECT price_amount, price_currency FROM price_snapshots
    WHERE product_id = p.id AND price_amount IS NOT NULL ORDER BY job_id DESC LIMIT 1
) l ON true
LEFT JOIN held_prices h ON h.product_id = p.id
WHERE p.domain_id = %(domain_id)s AND p.status = 'listed' AND p.id > %(after_id)s
ORDER BY p.id
LIMIT %(limit)s

-- name: append
-- Once per job and product: a repeated transaction adds nothing.
INSERT INTO price_snapshots (product_id, domain_id, job_id, is_change, page_url, price_kind, price_amount,
    price_currency, price_text, regular_price_amount, availability)
SELECT product_id, %(domain_id)s, %(job_id)s, is_change, page_url, price_kind, price_amount, price_currency,
    price_text, regular_price_amount, availability
FROM unnest(%(product_ids)s::bigint[], %(are_changes)s::bool[], %(page_urls)s::text[], %(price_kinds)s::text[],
    %(price_amounts)s::numeric[], %(price_currencies)s::text[], %(price_texts)s::text[],
    %(regular_price_amounts)s::numeric[], %(availabilities)s::text[])
    AS n (product_id, is_change, page_url, price_kind, price_amount, price_currency, price_text,
        regular_price_amount, availability)
ORDER BY product_id
ON CONFLICT (product_id, job_id) DO NOTHING

-- name: hold
-- The same price, held again, keeps the time of its first look.
INSERT INTO held_prices AS h (product_id, domain_id, job_id, price_amount, price_currency)
SELECT product_id, %(domain_id)s, %(job_id)s, price_amount, price_currency
FROM unnest(%(product_ids)s::bigint[], %(price_amounts)s::numeric[], %(price_currencies)s::text[])
    AS n (product_id, price_amount, price_currency)
ORDER BY product_id
ON CONFLICT (product_id) DO UPDATE SET job_id = excluded.job_id, price_amount = excluded.price_amount,
    price_currency = excluded.price_currency, held_at = now()
WHERE (h.price_amount, h.price_currency) IS DISTINCT FROM (excluded.price_amount, excluded.price_currency)

-- name: release
DELETE FROM held_prices WHERE product_id = ANY (%(product_ids)s)

-- name: count_held
SELECT count(*) AS products FROM held_prices WHERE domain_id = %(domain_id)s

-- name: count_of_domain
SELECT count(*) AS snapshots FROM price_snapshots WHERE domain_id = %(domain_id)s

-- name: history
-- With what belonged to products that were merged into this one.
SELECT s.observed_at, s.is_change, s.price_kind, s.price_amount, s.price_currency, s.price_text,
    s.regular_price_amount, s.availability, s.page_url, s.job_id
FROM price_snapshots s JOIN products p ON p.id = s.product_id
WHERE p.id = %(product_id)s OR p.merged_into = %(product_id)s
ORDER BY s.observed_at, s.id

-- name: changes
-- The newest changes of price of a domain, each with the snapshot before it.
SELECT p.id AS product_id, p.name, b.price_amount AS before_amount, b.price_currency AS before_currency,
    b.availability AS before_availability, s.price_amount, s.price_currency, s.availability, s.observed_at
FROM price_snapshots s
JOIN products p ON p.id = s.product_id
JOIN LATERAL (
    SELECT * FROM price_snapshots b WHERE b.product_id = s.product_id AND b.job_id < s.job_id
    ORDER BY b.job_id DESC LIMIT 1
) b ON true
WHERE s.domain_id = %(domain_id)s AND s.job_id = %(job_id)s AND s.is_change
ORDER BY p.id
LIMIT %(limit)s

-- name: recent_prices
-- Of the products whose prices changed last, their prices in the newest currency since so many days.
WITH changed AS (
    SELECT s.product_id, max(s.observed_at) AS changed_at FROM price_snapshots s
    JOIN products p ON p.id = s.product_id AND p.status = 'listed'
    WHERE s.domain_id = %(domain_id)s AND s.observed_at >= now() - make_interval(days => %(days)s)
        AND s.is_change AND s.price_amount > 0
    GROUP BY s.product_id HAVING count(DISTINCT s.price_amount) > 1
    ORDER BY changed_at DESC, s.product_id LIMIT %(limit)s
)
SELECT s.product_id, s.observed_at, s.price_amount FROM changed c
JOIN products p ON p.id = c.product_id
JOIN price_snapshots s ON s.product_id = c.product_id AND s.price_amount > 0
    AND s.price_currency IS NOT DISTINCT FROM p.current_price_currency
    AND s.observed_at >= now() - make_interval(days => %(days)s)
ORDER BY c.changed_at DESC, s.product_id, s.job_id
