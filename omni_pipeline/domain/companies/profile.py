"""Extracts the profile of the company behind a site: from markup, imprint, contact and footer.

One page rarely has it all: ``merge_companies`` joins what the pages of a domain say.
"""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from selectolax.lexbor import LexborNode

from omni_pipeline.domain.characters import storable
from omni_pipeline.domain.companies import identifiers as numbers
from omni_pipeline.domain.html.page import ParsedPage, text_of_node
from omni_pipeline.domain.html.schema_items import text_of, types_of
from omni_pipeline.domain.products.model import TRUST, Evidence, Source
from omni_pipeline.domain.web.urls import canonical_url, url_parts

MAX_SOCIAL_LINKS = 20


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ORGANIZATIONS = _words(
    """
    organization corporation localbusiness onlinebusiness wholesaler ngo professionalservice
    homeandconstructionbusiness automotivebusiness foodestablishment
    """
)
_CONTACT_URL = re.compile(
    r"imprint|impressum|contact|kontakt|contatt|contacto|contato|about|legal|mentions|ueber-uns|"
    r"uber-uns|chi-siamo|qui-sommes|o-nas|o-nama|aviso-legal|note-legali|colofon|company|terms|"
    r"agb",
    re.IGNORECASE,
)
_SOCIAL_HOSTS = re.compile(
    r"(?:^|\.)(?:facebook|instagram|linkedin|twitter|x|youtube|tiktok|pinterest|xing|threads|vk|"
    r"bsky|snapchat|weibo)\.(?:com|net|de|fr|es|it|co\.uk|app|ru)$"
)
_SHARING = re.compile(
    r"/(?:share|sharer|intent|shareArticle|plugins|dialog|pin/create|home|policies|policy|legal|"
    r"login)\b|^/?$",
    re.IGNORECASE,
)
_COPYRIGHT = re.compile(
    r"(?:©|\([cC]\)|[cC]opyright)\s{0,2}(?:(?:©|\([cC]\)|[cC]opyright)\s?){0,2}"
    r"(?:\d{4}(?:\s?[-–]\s?\d{4})?)?,?\s{0,2}(?:by\s)?(?P<name>[A-ZÀ-Þ][\w&'’ \-]{1,60}?)"
    r"(?=[.|,–\n]|\s-\s|\s(?i:all|alle|tous)\s|$)"
)
_RIGHTS = re.compile(
    r"all\srights|alle\srecht|vse\spravice|sva\sprava|tous\sdroits|todos\slos|todos\sos|tutti\si|"
    r"wszel|všechna|všetky|copyright",
    re.IGNORECASE,
)
_MIN_ADDRESS = 10
_MAX_ADDRESS = 300
_OWN_PAGE_SHARE = 1.0
_FOOTER_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class Company:
    """What a page, or a domain, says about who runs it.

    Attributes:
        address: On one line, as the page has it; its parts where they are told apart.
        country: As the page writes it: a name or an ISO code.
        phone: As shown, or as dialled by a link.
        vat_number: Without spaces; with its country where the page has it.
        registration_number: With its register, such as ``HRB 12345``.
        social_links: Canonical URLs of profiles, in the order of the page.
        evidence: By name of the field.
    """

    name: str | None = None
    legal_name: str | None = None
    address: str | None = None
    street: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country: str | None = None
    phone: str | None = None
    email: str | None = None
    vat_number: str | None = None
    registration_number: str | None = None
    logo_url: str | None = None
    social_links: tuple[str, ...] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)


def extract_company(html: str, url: str) -> Company:
    """Read what one page tells about the company; fields stay None where it tells nothing.

    Args:
        html: The decoded page.
        url: Its canonical URL.

    Raises:
        PermanentError: ``permanent.too_deep`` or ``permanent.too_complex``, as for links.
    """
    return company_on(ParsedPage(html, url=url, language=None))


def company_on(page: ParsedPage) -> Company:
    """What a page that is parsed already tells about the company."""
    return _Profile(page).company()


def merge_companies(companies: Iterable[Company]) -> Company:
    """Join the pages of one domain: for each field the value of most confidence, then the first."""
    values: dict[str, Any] = {}
    evidence: dict[str, Evidence] = {}
    social: dict[str, None] = {}
    for company in companies:
        social.update(dict.fromkeys(company.social_links))
        for name, found in company.evidence.items():
            if name not in evidence or found.confidence > evidence[name].confidence:
                evidence[name], values[name] = found, getattr(company, name)
    values["social_links"] = tuple(social)[:MAX_SOCIAL_LINKS]
    return Company(evidence=evidence, **values)


class _Profile:
    def __init__(self, page: ParsedPage) -> None:
        self._page = page
        self._values: dict[str, Any] = {}
        self._evidence: dict[str, Evidence] = {}
        self._host = url_parts(page.url).host.removeprefix("www.")

    def company(self) -> Company:
        for item, source in self._organizations():
            self._read_item(item, source)
        self._read_links()
        self._read_text()
        social = tuple(self._social_links())
        if social:
            self._set("social_links", social, Source.RULES)
        return Company(evidence=self._evidence, **self._values)

    def _set(self, name: str, value: object, source: Source, share: float = 1.0) -> None:
        if isinstance(value, str):
            value = storable(value).strip()[:500]
        if value and name not in self._values:
            self._values[name] = value
            self._evidence[name] = Evidence(
                source=source, confidence=round(TRUST[source] * share, 2)
            )

    def _organizations(self) -> Iterator[tuple[dict[str, Any], Source]]:
        items, _ = self._page.microdata
        found = [(item, Source.JSON_LD) for block in self._page.json_ld for item in _outer(block)]
        found += [(item, Source.MICRODATA) for outer in items for item in _outer(outer)]
        organizations = [one for one in found if _is_organization(one[0])]
        yield from sorted(organizations, key=lambda one: -len(one[0]))

    def _read_item(self, item: dict[str, Any], source: Source) -> None:
        for name, keys in (
            ("name", ("name",)),
            ("legal_name", ("legalName",)),
            ("phone", ("telephone", "phone")),
            ("email", ("email",)),
            ("vat_number", ("vatID", "taxID")),
            ("registration_number", ("leiCode", "duns", "iso6523Code")),
        ):
            value = text_of(item, *keys)
            self._set(name, value.removeprefix("mailto:") if value else None, source)
        self._set("logo_url", self._page.absolute(text_of(item, "logo", "image")), source)
        address = next((a for a in _list(item.get("address")) if isinstance(a, dict)), {})
        for name, key in (
            ("street", "streetAddress"),
            ("postal_code", "postalCode"),
            ("city", "addressLocality"),
            ("country", "addressCountry"),
        ):
            self._set(name, text_of(address, key), source)
        parts = [text_of(address, "streetAddress"), _join(address, "postalCode", "addressLocality")]
        parts += [text_of(address, "addressRegion"), text_of(address, "addressCountry")]
        self._set("address", ", ".join(part for part in parts if part), source)
        if not address:
            self._set("address", text_of(item, "address"), source)
        contact = next((c for c in _list(item.get("contactPoint")) if isinstance(c, dict)), {})
        self._set("phone", text_of(contact, "telephone"), source, 0.9)
        self._set("email", text_of(contact, "email"), source, 0.9)

    def _read_links(self) -> None:
        emails = [
            unquote(reference[len("mailto:") :].partition("?")[0]).strip().lower()
            for reference in self._references("mailto:")
        ]
        self._set("email", self._best_email(e for e in emails if "@" in e), Source.RULES)
        for reference in self._references("tel:"):
            self._set("phone", unquote(reference[len("tel:") :]).strip(" /*"), Source.RULES)
        self._set("name", self._page.meta.get("og:site_name"), Source.META)

    def _references(self, scheme: str) -> list[str]:
        nodes = self._page.tree.css(f'a[href^="{scheme}" i]')[:50]
        return [(node.attributes.get("href") or "") for node in nodes]

    def _best_email(self, emails: Iterable[str]) -> str | None:
        """One of the company's own domain before others, such as the agency's."""
        return min(
            emails, key=lambda e: not self._host.endswith(e.rpartition("@")[2]), default=None
        )

    def _read_text(self) -> None:
        """The whole text of imprint and contact pages; of others the footer alone."""
        body = self._page.tree.body
        if body is None:
            return
        whole = bool(_CONTACT_URL.search(url_parts(self._page.url).target))
        nodes = [body] if whole else self._page.tree.css("footer,[class*=footer i],[id*=footer i]")
        text = "\n".join(_lines(node) for node in nodes[:5])
        share = _OWN_PAGE_SHARE if whole else _FOOTER_SHARE
        for name, find in (
            ("vat_number", numbers.find_vat_number),
            ("registration_number", numbers.find_registration_number),
            ("phone", numbers.find_phone),
            ("legal_name", numbers.find_legal_name),
        ):
            self._set(name, find(text), Source.RULES, share)
        self._set("email", self._best_email(numbers.find_emails(text)), Source.RULES, share)
        self._read_address(text, share)
        copyright_ = _COPYRIGHT.search(text)
        if copyright_ and not _RIGHTS.match(copyright_["name"]):
            self._set("name", copyright_["name"], Source.RULES, 0.7)
        self._set("name", self._values.get("legal_name"), Source.RULES, share)

    def _read_address(self, text: str, share: float) -> None:
        found = numbers.find_address(text)
        if found:
            self._set("address", f"{found[0]}, {found[1]} {found[2]}", Source.RULES, share)
            for name, value in zip(("street", "postal_code", "city"), found, strict=True):
                self._set(name, value, Source.RULES, share)
        node = self._page.tree.css_first("address,.adr,[itemprop=address]")
        if node is not None and _MIN_ADDRESS <= len(line := text_of_node(node)) <= _MAX_ADDRESS:
            self._set("address", line, Source.RULES, share)

    def _social_links(self) -> Iterator[str]:
        found: dict[str, None] = {}
        for node in self._page.tree.css("a[href^=http i]")[:5_000]:
            url = canonical_url(node.attributes.get("href") or "")
            if url is None:
                continue
            parts = url_parts(url)
            if _SOCIAL_HOSTS.search(parts.host) and not _SHARING.search(parts.target):
                found[url] = None
        yield from list(found)[:MAX_SOCIAL_LINKS]


def _outer(value: Any) -> Iterator[dict[str, Any]]:
    """Items that speak for the page: outermost ones, and publishers; not makers or reviewers."""
    for item in _list(value):
        if isinstance(item, dict):
            yield item
            for key in (
                "@graph",
                "publisher",
                "mainEntity",
                "about",
                "provider",
                "sourceOrganization",
            ):
                yield from (one for one in _list(item.get(key)) if isinstance(one, dict))


def _is_organization(item: dict[str, Any]) -> bool:
    return any(name in _ORGANIZATIONS or name.endswith("store") for name in types_of(item))


def _lines(node: LexborNode) -> str:
    lines = (" ".join(line.split()) for line in node.text(separator="\n").splitlines())
    return "\n".join(line for line in lines if line)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _join(item: dict[str, Any], *keys: str) -> str:
    return " ".join(text for key in keys if (text := text_of(item, key)))
