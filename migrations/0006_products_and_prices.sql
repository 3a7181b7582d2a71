-- The second lineage: what pages sell, what that costs over time, and who runs the site.
--
-- Two rules shape it. Nothing is forgotten: snapshots are only added, a product that left is delisted, and one
-- that proves to be another is merged into it; rows go with their domain alone. And a product's current price is
-- that of its newest snapshot: adding a snapshot sets it, and a deferred check refuses any other way.

ALTER TABLE domains
    ADD COLUMN has_products boolean NOT NULL DEFAULT true,
    -- For prices whose page tells no currency.
    ADD COLUMN default_currency text CHECK (default_currency ~ '^[A-Z]{3}$'),
    -- Whether an unchanged price gets a snapshot a day.
    ADD COLUMN daily_price_points boolean NOT NULL DEFAULT false;

ALTER TABLE failed_pages
    DROP CONSTRAINT failed_pages_stage_check,
    ADD CONSTRAINT failed_pages_stage_check CHECK (stage IN ('fetch', 'clean', 'chunk', 'embed', 'extract'));

-- Which body of a page was read for products, by which extractor, and what it said of the company.
CREATE TABLE extracted_pages (
    page_id bigint PRIMARY KEY REFERENCES raw_pages (id) ON DELETE CASCADE,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    extractor text NOT NULL,
    company jsonb,
    fence bigint NOT NULL,
    extracted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX extracted_pages_by_domain ON extracted_pages (domain_id);

-- What a domain sells or has sold. The values are those of the page that tells most of it.
CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain_id bigint NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    -- The strongest of its keys, such as gtin:04006381333931; all are in product_keys.
    identity text NOT NULL,
    status text NOT NULL DEFAULT 'listed' CHECK (status IN ('listed', 'delisted')),
    page_id bigint NOT NULL REFERENCES raw_pages (id) ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    url text NOT NULL CHECK (octet_length(url) <= 2048),
    name text,
    brand text,
    sku text,
    gtin text,
    mpn text,
    image_url text,
    offers jsonb NOT NULL DEFAULT '[]',
    -- By field: where its value was found, and how far that is believed.
    evidence jsonb NOT NULL DEFAULT '{}',
    current_price_kind text,
    current_price_amount numeric,
    current_price_currency text,
    current_availability text,
    -- It proved to be this product; its own snapshots stay and belong to that one's history.
    merged_into bigint REFERENCES products (id) ON DELETE CASCADE,
    fence bigint NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    delisted_at timestamptz,
    -- No page shows it since then; it stays listed while so many vanished at once that a person has to confirm it.
    vanished_at timestamptz,
    vanishing_confirmed_at timestamptz,
    CONSTRAINT delisted_has_time CHECK ((status = 'delisted') = (delisted_at IS NOT NULL)),
    CONSTRAINT merged_is_delisted CHECK (merged_into IS NULL OR (status = 'delisted' AND merged_into <> id)),
    CONSTRAINT held_is_listed CHECK (vanished_at IS NULL OR status = 'listed'),
    CONSTRAINT confirmed_is_held CHECK (vanishing_confirmed_at IS NULL OR vanished_at IS NOT NULL),
    CONSTRAINT identity_fits_an_index CHECK (octet_length(identity) <= 2048),
    UNIQUE (id, domain_id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX one_product_per_identity ON products (domain_id, identity) WHERE merged_into IS NULL;
CREATE INDEX products_by_page ON products (page_id);
CREATE INDEX products_merged ON products (merged_into) WHERE merged_into IS NOT NULL;

-- All keys under which a product is found again.
CREATE TABLE product_keys (
    domain_id bigint NOT NULL,
    key text NOT NULL,
    product_id bigint NOT NULL,
    PRIMARY KEY (domain_id, key),
    FOREIGN KEY (product_id, domain_id) REFERENCES products (id, domain_id) ON DELETE CASCADE
);
CREATE INDEX product_keys_by_product ON product_keys (product_id);

-- What each live page shows of products, as it shows it.
CREATE TABLE product_sightings (
    page_id bigint NOT NULL REFERENCES extracted_pages (page_id) ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    domain_id bigint NOT NULL,
    product_id bigint NOT NULL,
    is_detail boolean NOT NULL,
    shown jsonb NOT NULL,
    PRIMARY KEY (page_id, position),
    FOREIGN KEY (product_id, domain_id) REFERENCES products (id, domain_id) ON DELETE CASCADE
);
CREATE INDEX product_sightings_by_product ON product_sightings (product_id);

-- Prices over time: one row per change of price or availability, and per day where the domain says so. Of one
-- product, a later job's is the newer. Jobs may be cleared away one day; history stays.
CREATE TABLE price_snapshots (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id bigint NOT NULL,
    domain_id bigint NOT NULL,
    job_id bigint NOT NULL,
    is_change boolean NOT NULL,
    page_url text NOT NULL,
    price_kind text CHECK (price_kind IN ('exact', 'from', 'range', 'per_unit', 'free', 'on_request')),
    -- NaN is above every number.
    price_amount numeric CHECK (price_amount >= 0 AND price_amount <= 1e12),
    price_currency text CHECK (price_currency ~ '^[A-Z]{3}$'),
    price_text text,
    regular_price_amount numeric CHECK (regular_price_amount >= 0 AND regular_price_amount <= 1e12),
    availability text CHECK (availability IN ('in_stock', 'out_of_stock', 'pre_order', 'pre_sale', 'back_order',
        'made_to_order', 'limited_availability', 'in_store_only', 'online_only', 'discontinued', 'sold_out', 'reserved')),
    observed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT says_something CHECK (price_kind IS NOT NULL OR price_amount IS NOT NULL OR availability IS NOT NULL),
    CONSTRAINT one_snapshot_per_job UNIQUE (product_id, job_id),
    FOREIGN KEY (product_id, domain_id) REFERENCES products (id, domain_id) ON DELETE CASCADE
);
CREATE INDEX price_snapshots_by_domain ON price_snapshots (domain_id, observed_at);

-- Prices that moved too far to be believed (suspicious.price), until a second look shows the same.
CREATE TABLE held_prices (
    product_id bigint PRIMARY KEY,
    domain_id bigint NOT NULL,
    job_id bigint NOT NULL,
    price_amount numeric NOT NULL,
    price_currency text,
    held_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (product_id, domain_id) REFERENCES products (id, domain_id) ON DELETE CASCADE
);

-- Who runs the site: one profile per domain, joined from what its pages say.
CREATE TABLE companies (
    domain_id bigint PRIMARY KEY REFERENCES domains (id) ON DELETE CASCADE,
    name text,
    legal_name text,
    address text,
    street text,
    postal_code text,
    city text,
    country text,
    phone text,
    email text,
    vat_number text,
    registration_number text,
    logo_url text,
    social_links text[] NOT NULL DEFAULT '{}',
    evidence jsonb NOT NULL DEFAULT '{}',
    fence bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION refuse_to_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT EXISTS (SELECT FROM domains WHERE id = OLD.domain_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% of % would lose history', TG_OP, TG_TABLE_NAME
        USING HINT = 'History goes with its domain alone: omni domains remove DOMAIN', ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER is_only_added_to BEFORE UPDATE OR DELETE ON price_snapshots
    FOR EACH ROW EXECUTE FUNCTION refuse_to_forget();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON price_snapshots EXECUTE FUNCTION refuse_to_forget();
CREATE TRIGGER stays_with_its_domain BEFORE DELETE ON products FOR EACH ROW EXECUTE FUNCTION refuse_to_forget();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON products EXECUTE FUNCTION refuse_to_forget();

CREATE FUNCTION publish_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE products p SET current_price_kind = a.price_kind, current_price_amount = a.price_amount,
        current_price_currency = a.price_currency, current_availability = a.availability
    FROM (SELECT DISTINCT ON (product_id) * FROM added ORDER BY product_id, job_id DESC) a
    WHERE p.id = a.product_id;
    RETURN NULL;
END $$;
CREATE TRIGGER publish_prices AFTER INSERT ON price_snapshots
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION publish_prices();

CREATE FUNCTION check_current_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_newest boolean;
BEGIN
    SELECT count(*) = 0 INTO is_newest
    FROM products p
    LEFT JOIN LATERAL (SELECT * FROM price_snapshots WHERE product_id = p.id ORDER BY job_id DESC LIMIT 1) s ON true
    WHERE p.id = NEW.id
        AND (p.current_price_kind, p.current_price_amount, p.current_price_currency, p.current_availability)
            IS DISTINCT FROM (s.price_kind, s.price_amount, s.price_currency, s.availability);
    IF NOT is_newest THEN
        RAISE EXCEPTION 'the current price of product % is not that of its newest snapshot', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'current_price_is_newest_snapshot';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER current_price_is_newest_snapshot
    AFTER INSERT OR UPDATE OF current_price_kind, current_price_amount, current_price_currency, current_availability
    ON products DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_current_price();

-- Gives products the values of the live page that tells most of them: one of their own before a list, and the
-- page of that very address before others. Products that no live page shows stay as they are.
CREATE FUNCTION show_products(product_ids bigint[]) RETURNS void LANGUAGE sql AS $$
    WITH best AS (
        SELECT DISTINCT ON (s.product_id) s.product_id, s.page_id, s.position, s.shown, r.checked_at
        FROM product_sightings s
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

-- A page that leaves takes its products along in the same transaction, but for those that another page shows.
CREATE FUNCTION take_products_along() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM extracted_pages WHERE page_id = NEW.id;
    PERFORM show_products(array_agg(id)) FROM products WHERE page_id = NEW.id;
    UPDATE products SET status = 'delisted', delisted_at = now(), vanished_at = NULL, vanishing_confirmed_at = NULL
    WHERE page_id = NEW.id AND status = 'listed';
    RETURN NULL;
END $$;
CREATE TRIGGER take_products_along AFTER UPDATE OF status ON raw_pages
    FOR EACH ROW WHEN (OLD.status = 'live' AND NEW.status = 'gone') EXECUTE FUNCTION take_products_along();

-- What any application may read: one row per product, those that left included.
CREATE VIEW current_products AS
SELECT p.id AS product_id, d.organization_id, d.host, p.status, p.identity, p.name, p.brand, p.sku, p.gtin, p.mpn, p.url,
    p.image_url, p.current_price_kind, p.current_price_amount, p.current_price_currency, p.current_availability,
    p.first_seen_at, p.last_seen_at, p.delisted_at
FROM products p JOIN domains d ON d.id = p.domain_id WHERE p.merged_into IS NULL;
COMMENT ON VIEW current_products IS 'One row per product, delisted ones included. Its history is in price_snapshots, by product_id.';
