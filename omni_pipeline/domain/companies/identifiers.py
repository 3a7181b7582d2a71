"""Finds the numbers and addresses by which a company can be reached and is registered."""
# ruff: noqa: RUF001 - dashes, quotes and letters of many alphabets look alike

import re
from collections.abc import Iterator

MAX_TEXT = 200_000

_VAT_LABEL = (
    r"VAT(?:\s?(?:registration|reg\.?))?(?:\s?(?:ID|no|nr|number))?|USt\.?-?\s?Id(?:-?\s?Nr|"
    r"entifikationsnummer)?|Umsatzsteuer-?(?:Identifikationsnummer|ID)|UID(?:-?\s?Nr)?|MwSt-?Nr|"
    r"(?:n°|num[ée]ro|no)?\s?(?:de\s)?TVA(?:\sintracommunautaire|\sintracom\.?)?|P(?:\.|"
    r"artita)?\s?IVA|BTW(?:-?\s?(?:nr|nummer|id))?|NIP|DIČ|IČ\sDPH|CIF|NIF|CNPJ|OIB|ALV-?(?:nro|"
    r"numero)?|Moms(?:reg\.?)?(?:\s?nr)?|ΑΦΜ|ID\sza\sDDV|ID\sDDV|Davčna\sštevilka|GST(?:IN|"
    r"\sno)?|ABN"
)  # fmt: skip
_VAT = (
    r"ATU\d{8}|BE[01]\d{9}|BG\d{9,10}|CHE\d{9}(?:MWST|TVA|IVA)?|CY\d{8}[A-Z]|CZ\d{8,10}|DE\d{9}|"
    r"DK\d{8}|EE\d{9}|EL\d{9}|ES[A-Z0-9]\d{7}[A-Z0-9]|FI\d{8}|FR[A-Z0-9]{2}\d{9}|GB\d{9}|"
    r"HR\d{11}|HU\d{8}|IE\d[A-Z0-9]\d{5}[A-Z]{1,2}|IT\d{11}|LT(?:\d{12}|\d{9})|LU\d{8}|LV\d{11}|"
    r"MT\d{8}|NL\d{9}B\d{2}|NO\d{9}(?:MVA)?|PL\d{10}|PT\d{9}|RO\d{6,10}|SE\d{12}|SI\d{8}|SK\d{10}"
)  # fmt: skip
_LABELLED_VAT = re.compile(
    rf"(?<!\w)(?:{_VAT_LABEL})\.?\s{{0,2}}[:#.]?\s{{0,2}}"
    r"(?P<number>[A-Z]{0,3}[\s-]?\d[\dA-Z .\-/]{5,20})",
    re.IGNORECASE,
)
_BARE_VAT = re.compile(rf"(?<!\w)(?:{_VAT})(?!\w)")
_WHOLE_VAT = re.compile(rf"(?:{_VAT})|\d{{8,14}}|[A-Z]\d{{8}}|\d{{8}}[A-Z]")
_NOT_IN_VAT = re.compile(r"[\s.\-/]")

_REGISTRATION = re.compile(
    r"(?<!\w)(?P<number>HR[AB]\s?(?:Nr\.?\s?)?\d{2,7}(?:\s?[A-Z]\b)?|FN\s?\d{4,7}\s?[a-z]\b|"
    r"CHE-\d{3}\.\d{3}\.\d{3}"
    r"|(?:SIRET|SIREN|RCS\s[A-Z][\w\-]{2,20}|KvK(?:-?\s?(?:nr|nummer))?|IČO|IČ|REGON|KRS|"
    r"CVR(?:-?nr)?|Org\.?\s?-?nr|REA|Y-tunnus|Rekisterikood|MBS|ABN|ACN|EIN"
    r"|(?:Company|Registered|Registration|Reg\.?|Co\.)\s(?:registration\s)?(?:no|number|"
    r"nr)(?:\sin\s[A-Z]\w+(?:\sand\s[A-Z]\w+)?)?|Registered\sin\s[A-Z]\w+(?:\s(?:and|"
    r"&)\s[A-Z]\w+)?,?\s(?:no|number|company\s(?:no|number)))"
    r"\.?\s{0,2}[:#]?\s{0,2}[A-Z]{0,3}\s?\d[\d .\-/]{3,18}\d)"
)  # fmt: skip
_EMAIL = re.compile(
    r"(?<![\w.+\-])[\w.+\-]{1,64}(?:@|\s?[\[({]\s?(?:at|@|"
    r"ät)\s?[\])}]\s?)[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62}\.|[A-Za-z0-9\-]{0,62}\s?[\[({](?:dot|"
    r"punkt|\.)[\])}]\s?){1,5}[A-Za-z]{2,24}(?!\w)",
    re.IGNORECASE,
)
_AT = re.compile(r"\s?[\[({]\s?(?:at|@|ät)\s?[\])}]\s?", re.IGNORECASE)
_DOT = re.compile(r"\s?[\[({]\s?(?:dot|punkt|\.)\s?[\])}]\s?", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<!\w)(?:tel(?:efon|ephone|éfono|efone|efono|éphone)?|phone|fon|tél|call(?:\sus)?|hotline|"
    r"puhelin|тел(?:ефон)?|電話|전화)\.?\s{0,2}[:.]?\s{0,2}(?P<number>\+?[\d(][\d\s()/.\-]{5,22}\d)",
    re.IGNORECASE,
)
_LEGAL_FORM = (
    r"GmbH(?:\s&\sCo\.?\s?KG)?|UG\s\(haftungsbeschränkt\)|AG|SE|KG|OHG|e\.K\.|Ltd\.?|Limited|LLP|"
    r"PLC|plc|LLC|Inc\.?|Corp\.?|Corporation|S\.?r\.?l\.?|S\.?p\.?A\.?|SAS|SARL|S\.A\.S\.|"
    r"S\.A\.R\.L\.|S\.A\.|S\.L\.U?\.?|Lda\.?|B\.?V\.?|N\.V\.|s\.\s?r\.\s?o\.|a\.\s?s\.|"
    r"Sp\.\sz\s?o\.\s?o\.|d\.\s?o\.\s?o\.|Oy|AB|A/S|ApS|Kft\.?|Zrt\.?|OÜ|UAB|SIA|Pty\.?\sLtd\.?|"
    r"Pvt\.?\sLtd\.?|K\.K\."
)  # fmt: skip
_LEGAL_NAME = re.compile(
    rf"(?<!\w)(?!\d{{4}}\s|"
    rf"(?:{_LEGAL_FORM})(?!\w))(?P<name>(?:[A-ZÀ-ÖØ-ÞŠŽČ0-9][\w&'’+.\-]{{0,30}}[ ,]{{1,2}}(?:(?:of|"
    rf"and|und|et|&|e|y|der|für)\s)?){{1,6}}(?:{_LEGAL_FORM}))(?!\w)"
)
_STREET_AND_CITY = re.compile(
    r"^(?P<street>[A-ZÀ-Þ][\w.\-'’]{1,30}(?: [\w.\-'’]{1,20}){0,3} \d{1,4}(?: ?[a-zA-Z]|"
    r"[/\-]\d{1,4})?)(?:, ?|\n| )"
    r"(?P<code>(?:[A-Z]{1,2}-)?\d{4,5}|\d{3} \d{2}|"
    r"\d{2}-\d{3}) (?P<city>[A-ZÀ-Þ][\w.\-]{1,30}(?: [A-ZÀ-Þ][\w.\-]{1,20})?)",
    re.MULTILINE,
)


# Each takes text in lines: what stands in different elements must not run together.


def find_vat_number(text: str) -> str | None:
    """A labelled number first; else what can be nothing but a European VAT number."""
    text = text[:MAX_TEXT]
    for match in _LABELLED_VAT.finditer(text):
        for number in _shortenings(match["number"].upper()):
            if _WHOLE_VAT.fullmatch(number):
                return number
    bare = _BARE_VAT.search(text)
    return bare[0] if bare else None


def find_registration_number(text: str) -> str | None:
    match = _REGISTRATION.search(text[:MAX_TEXT])
    return " ".join(match["number"].split()) if match else None


def find_emails(text: str) -> list[str]:
    """Addresses in the order of the text; ``info (at) example (dot) org`` is read, too."""
    found = (match[0] for match in _EMAIL.finditer(text[:MAX_TEXT]))
    return list(dict.fromkeys(_DOT.sub(".", _AT.sub("@", email)).lower() for email in found))


def find_phone(text: str) -> str | None:
    match = _PHONE.search(text[:MAX_TEXT])
    return " ".join(match["number"].split()) if match else None


def find_legal_name(text: str) -> str | None:
    """The first name that ends with a legal form; shouted words before "SE" are no name."""
    names = (match["name"] for match in _LEGAL_NAME.finditer(text[:MAX_TEXT]))
    return next((name for name in names if not name.isupper() or "." in name), None)


def find_address(text: str) -> tuple[str, str, str] | None:
    """Street with number, postal code and city where they stand together in this order."""
    match = _STREET_AND_CITY.search(text[:MAX_TEXT])
    return (match["street"], match["code"], match["city"]) if match else None


def _shortenings(number: str) -> Iterator[str]:
    """The number, and without the words that follow it and look like more of it."""
    parts = number.split()
    for end in range(len(parts), 0, -1):
        yield _NOT_IN_VAT.sub("", "".join(parts[:end]))
