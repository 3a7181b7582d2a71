"""What URLs carry of their visitor: where it came from, which session it has. It names no page."""

import re

_TRACKING = (
    r"utm_\w*|_ga|_gl|_hsenc|_hsmi|dclid|fbclid|gbraid|gclid|gclsrc|igshid|mc_cid|mc_eid"
    r"|mkt_tok|msclkid|srsltid|ttclid|twclid|wbraid|yclid"
)
# The server gives out a new one when it is missing.
_SESSION = (
    r"phpsessid|jsessionid|aspsession\w*|asp\.net_session\w*|cfid|cftoken|oscsid|xtcsid|zenid"
)
_MARK = re.compile(
    rf"(?:{_TRACKING}|{_SESSION})(?:=|$)"
    # Conferences have sessions too, and stories an "sid": the value must look like a key.
    r"|(?:sess(?:ion)?_?(?:id|key|token)?|sid)="
    r"(?=[^=]*[0-9])(?=[^=]*[A-Za-z])[0-9A-Za-z,-]{16,}$",
    re.IGNORECASE | re.ASCII,
)
_SESSION_IN_PATH = re.compile(
    rf";(?:{_SESSION}|sid)=[^/;]*|/\(S\([0-9a-z]{{20,}}\)\)(?=/)", re.IGNORECASE | re.ASCII
)


def path_without_session(path: str) -> str:
    """The path without ``;jsessionid=...``, as Java writes it, or ``/(S(...))``, as ASP.NET does.

    Servers write them into all links for who sends no cookies, anew for each visit: with them
    every page would have a new address every day.
    """
    return _SESSION_IN_PATH.sub("", path)


def is_visitor_mark(parameter: str) -> bool:
    """Whether a ``name=value`` of a query is about the visitor."""
    return _MARK.match(parameter) is not None
