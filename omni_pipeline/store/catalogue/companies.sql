-- name: save
-- Written when it says something else than before.
INSERT INTO companies AS c (domain_id, name, legal_name, address, street, postal_code, city, country, phone, email,
    vat_number, registration_number, logo_url, social_links, evidence, fence)
VALUES (%(domain_id)s, %(name)s, %(legal_name)s, %(address)s, %(street)s, %(postal_code)s, %(city)s, %(country)s,
    %(phone)s, %(email)s, %(vat_number)s, %(registration_number)s, %(logo_url)s, %(social_links)s, %(evidence)s, %(fence)s)
ON CONFLICT (domain_id) DO UPDATE SET name = excluded.name, legal_name = excluded.legal_name,
    address = excluded.address, street = excluded.street, postal_code = excluded.postal_code, city = excluded.city,
    country = excluded.country, phone = excluded.phone, email = excluded.email, vat_number = excluded.vat_number,
    registration_number = excluded.registration_number, logo_url = excluded.logo_url,
    social_links = excluded.social_links, evidence = excluded.evidence, fence = excluded.fence, updated_at = now()
WHERE (c.name, c.legal_name, c.address, c.street, c.postal_code, c.city, c.country, c.phone, c.email, c.vat_number,
        c.registration_number, c.logo_url, c.social_links, c.evidence)
    IS DISTINCT FROM (excluded.name, excluded.legal_name, excluded.address, excluded.street, excluded.postal_code,
        excluded.city, excluded.country, excluded.phone, excluded.email, excluded.vat_number,
        excluded.registration_number, excluded.logo_url, excluded.social_links, excluded.evidence)

-- name: find
SELECT name, legal_name, address, street, postal_code, city, country, phone, email, vat_number, registration_number,
    logo_url, social_links, evidence
FROM companies WHERE domain_id = %(domain_id)s
