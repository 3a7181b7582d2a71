-- One standard word per thing: tables, columns and alert kinds are called what the code and the documents call them.

ALTER TABLE embedding_usage RENAME TO token_usage;
ALTER INDEX embedding_usage_by_domain RENAME TO token_usage_by_domain;
ALTER INDEX embedding_usage_by_day RENAME TO token_usage_by_day;
ALTER TABLE model_readings RENAME TO llm_answers;
ALTER TABLE dead_ends RENAME TO non_pages;
ALTER TABLE product_sightings RENAME TO product_listings;
ALTER INDEX product_sightings_by_product RENAME TO product_listings_by_product;
ALTER TABLE alert_deliveries RENAME COLUMN is_told_open TO is_notified_open;
ALTER TABLE alert_deliveries RENAME COLUMN told_at TO notified_at;
UPDATE alerts SET kind = 'ids_running_out' WHERE kind = 'supply_ends';

-- As before; functions name their tables by text.
CREATE OR REPLACE FUNCTION show_products(product_ids bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH best AS (
        SELECT DISTINCT ON (s.product_id) s.product_id, s.page_id, s.position, s.shown, r.checked_at
        FROM product_listings s
        JOIN raw_pages r ON r.id = s.page_id AND r.status = 'live'
        WHERE s.product_id = ANY (product_ids)
        ORDER BY s.product_id, s.is_detail DESC, (s.shown ->> 'url' = r.url) DESC, s.page_id, s.position
    ), keyed AS (
        -- By the alphabet, a GTIN comes before a SKU and that before a URL.
        SELECT product_id, min(key COLLATE "C") AS identity FROM product_keys
        WHERE product_id = ANY (product_ids) GROUP BY product_id
    )
    UPDATE products p SET identity = k.identity, status = 'listed', page_id = b.page_id, position = b.position,
        url = b.shown ->> 'url', name = b.shown ->> 'name', brand = b.shown ->> 'brand', sku = b.shown ->> 'sku',
        gtin = b.shown ->> 'gtin', mpn = b.shown ->> 'mpn', image_url = b.shown ->> 'image_url',
        offers = b.shown -> 'offers', evidence = b.shown -> 'evidence',
        last_seen_at = greatest(p.last_seen_at, b.checked_at),
        delisted_at = NULL, vanished_at = NULL, vanishing_confirmed_at = NULL
    FROM best b JOIN keyed k ON k.product_id = b.product_id
    WHERE p.id = b.product_id AND p.merged_into IS NULL
$$;
