"""Refreshes: ``<meta http-equiv=refresh>`` and the ``Refresh`` header, which say one thing."""

import re
from dataclasses import dataclass

# WHATWG HTML, "shared declarative refresh steps". Digits may be missing before a dot.
_REFRESH = re.compile(
    r"\s*([0-9]*)[0-9.]*(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?(?:\"([^\"]*)|'([^']*)|(.*))",
    re.IGNORECASE | re.DOTALL,
)
_MAX_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class PageRefresh:
    """Go on to ``reference``, as written, after so many seconds."""

    seconds: float
    reference: str


def refresh_of(content: str) -> PageRefresh | None:
    """Read a refresh; None where it names no place: the page is to be loaded again."""
    found = _REFRESH.match(content[:4096])
    if found is None or not (found[1] or content.lstrip().startswith(".")):
        return None
    reference = next((text for text in found.group(2, 3, 4) if text is not None), "").strip()
    seconds = min(float(found[1][:9] or 0), _MAX_SECONDS)
    return PageRefresh(seconds=seconds, reference=reference) if reference else None
