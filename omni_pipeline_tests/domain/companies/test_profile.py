"""Who runs a site: markup, imprint, contact page, footer (R-B6)."""

import time

import pytest

from omni_pipeline.domain.companies.identifiers import (
    find_emails,
    find_legal_name,
    find_registration_number,
    find_vat_number,
)
from omni_pipeline.domain.companies.profile import Company, extract_company, merge_companies
from omni_pipeline.domain.products.model import Source

IMPRINT = """<html><body><nav><a href="/">Home</a></nav><h1>Impressum</h1>
<p>Muster Werkzeuge GmbH &amp; Co. KG<br>Musterstraße 12a<br>10115 Berlin</p>
<p>Telefon: +49 (0)30 123456-0<br>E-Mail: info (at) muster (dot) example</p>
<p>Amtsgericht Charlottenburg, HRB 12345 B<br>USt-IdNr.: DE 123 456 789</p>
<a href="https://www.facebook.com/muster">Facebook</a>
<a href="https://www.facebook.com/sharer/sharer.php?u=x">Share</a>
<a href="https://example.org/partner">Partner</a></body></html>"""
MARKUP = """<script type="application/ld+json">{"@graph": [{"@type": "Organization",
"name": "Muster", "legalName": "Muster GmbH", "logo": {"url": "/logo.png"}, "vatID": "DE123456789",
"address": {"streetAddress": "Weg 1", "postalCode": "10115", "addressLocality": "Berlin",
"addressCountry": "DE"}, "contactPoint": {"telephone": "+49 30 1", "email": "a@muster.example"}},
{"@type": "Product", "name": "x", "brand": {"@type": "Organization", "name": "Other"}}]}</script>"""


def test_an_imprint_is_read() -> None:
    company = extract_company(IMPRINT, "https://muster.example/impressum")

    assert company.legal_name == "Muster Werkzeuge GmbH & Co. KG"
    assert company.address == "Musterstraße 12a, 10115 Berlin"
    assert (company.street, company.postal_code, company.city) == (
        "Musterstraße 12a",
        "10115",
        "Berlin",
    )
    assert company.phone == "+49 (0)30 123456-0"
    assert company.email == "info@muster.example"
    assert company.vat_number == "DE123456789"
    assert company.registration_number == "HRB 12345 B"
    assert company.social_links == ("https://www.facebook.com/muster",)
    assert company.evidence["vat_number"].source is Source.RULES


def test_markup_of_an_organization_is_read_and_that_of_a_maker_is_not() -> None:
    company = extract_company(MARKUP, "https://muster.example/")

    assert (company.name, company.legal_name) == ("Muster", "Muster GmbH")
    assert company.address == "Weg 1, 10115 Berlin, DE"
    assert company.logo_url == "https://muster.example/logo.png"
    assert (company.phone, company.email) == ("+49 30 1", "a@muster.example")
    assert company.evidence["name"].source is Source.JSON_LD


def test_of_other_pages_only_the_footer_is_read() -> None:
    html = """<p>Call our supplier: Tel. 030 999999, VAT DE999999999</p>
        <footer>© 2026 Muster Ltd. Tel: 030 123456</footer>"""
    company = extract_company(html, "https://muster.example/p/1")

    assert company.phone == "030 123456"
    assert company.vat_number is None
    assert company.legal_name == "Muster Ltd."


def test_an_address_of_the_own_domain_comes_before_the_agency() -> None:
    html = """<a href="mailto:x@agency.example">a</a>
        <a href="mailto:Info@muster.example?subject=a">b</a>"""

    assert extract_company(html, "https://www.muster.example/").email == "info@muster.example"


def test_the_pages_of_a_domain_are_joined_by_confidence() -> None:
    footer = extract_company("<footer>Tel: 030 111111</footer>", "https://muster.example/")
    imprint = extract_company(IMPRINT, "https://muster.example/impressum")
    merged = merge_companies([footer, imprint, Company()])

    assert merged.phone == "+49 (0)30 123456-0"
    assert merged.vat_number == "DE123456789"
    assert merge_companies([]) == Company()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USt-IdNr.: DE 123 456 789", "DE123456789"),
        ("UID: ATU12345678", "ATU12345678"),
        ("P.IVA 01234567890", "01234567890"),
        ("VAT Registration No: GB 123 4567 89", "GB123456789"),
        ("N° TVA : FR 12 345678901", "FR12345678901"),
        ("NIP: 123-456-78-90", "1234567890"),
        ("BTW NL123456789B01", "NL123456789B01"),
        ("CHE-123.456.789 MWST", None),
        ("Numbers such as DE123456789 stand alone", "DE123456789"),
        ("VAT included", None),
        ("Order RO4871 today", None),
    ],
)
def test_vat_numbers(text: str, expected: str | None) -> None:
    assert find_vat_number(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Handelsregister: HRB 12345, Berlin", "HRB 12345"),
        ("FN 123456a, HG Wien", "FN 123456a"),
        ("SIRET : 123 456 789 00012", "SIRET : 123 456 789 00012"),
        ("KvK: 12345678", "KvK: 12345678"),
        (
            "Registered in England and Wales, company no. 01234567",
            "Registered in England and Wales, company no. 01234567",
        ),
        ("Company number 01234567", "Company number 01234567"),
        ("IČO: 12345678", "IČO: 12345678"),
        ("no number", None),
    ],
)
def test_registration_numbers(text: str, expected: str | None) -> None:
    assert find_registration_number(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Impressum\nMuster GmbH\nBerlin", "Muster GmbH"),
        ("operated by Acme Tools Ltd. in Leeds", "Acme Tools Ltd."),
        ("Alfa Utensili S.r.l.\nVia Roma", "Alfa Utensili S.r.l."),
        ("Novák s.r.o., Praha", "Novák s.r.o."),
        ("SUBSCRIBE SE", None),
        ("nothing", None),
    ],
)
def test_legal_names(text: str, expected: str | None) -> None:
    assert find_legal_name(text) == expected


@pytest.mark.parametrize(
    "hostile",
    ["a@" * 300_000, "Tel: " * 200_000, "VAT " * 250_000, "Aa " * 300_000, "1 " * 400_000,
     "A 1 " * 200_000, "HRB " * 250_000, "Company number " * 60_000, "a." * 400_000, "A" * 900_000],
    ids=lambda text: text[:6],
)  # fmt: skip
def test_hostile_text_costs_at_most_a_second(hostile: str) -> None:
    """S-49."""
    begun = time.process_time()
    extract_company(f"<h1>Contact</h1><p>{hostile}", "https://muster.example/contact")
    find_emails(hostile)

    assert time.process_time() - begun < 2
