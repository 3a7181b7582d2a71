"""Which hosts a browser may load from while it shows a page of a site.

Which addresses these names may lead to is decided elsewhere, for every connection.
"""

from omni_pipeline.domain.web.hosts import BadHostError, canonical_host, is_numeric, without_www

# Where pages get the libraries from without which they stay empty. No fonts, no analytics.
SCRIPT_HOSTS = frozenset(
    (
        *("ajax.aspnetcdn.com", "ajax.googleapis.com", "ajax.microsoft.com", "cdn.jsdelivr.net"),
        *("cdn.skypack.dev", "cdnjs.cloudflare.com", "code.angularjs.org", "code.jquery.com"),
        *(
            "esm.run",
            "esm.sh",
            "ga.jspm.io",
            "maxcdn.bootstrapcdn.com",
            "stackpath.bootstrapcdn.com",
        ),
        "unpkg.com",
    )
)


def browser_may_load(host: str, *, site_host: str, further: tuple[str, ...]) -> bool:
    """Whether ``host`` is the site's, lies below it or a host of ``further``, or serves libraries.

    Compared label by label (S-33, S-42). An address is only allowed where it is the site.

    Args:
        host: As the browser asks for it, without port and brackets.
        site_host: Canonical; a leading ``www.`` does not count.
        further: Host names that an operator added.
    """
    try:
        host = canonical_host(host)
    except BadHostError:
        return False
    if host == site_host or host in SCRIPT_HOSTS:
        return True
    return any(_is_within(host, parent) for parent in (without_www(site_host), *_names(further)))


def _is_within(host: str, parent: str) -> bool:
    return host == parent or host.endswith(f".{parent}")


def _names(hosts: tuple[str, ...]) -> list[str]:
    names = []
    for host in hosts:
        try:
            names.append(canonical_host(host))
        except BadHostError:
            continue
    return [name for name in names if not _is_address(name)]


def _is_address(host: str) -> bool:
    return ":" in host or is_numeric(host)
