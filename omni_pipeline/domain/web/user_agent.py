"""How this crawler is called: in robots.txt, in robots metadata, and in the User-Agent."""

from importlib.metadata import version

PRODUCT_TOKEN = "omni_pipeline"  # noqa: S105 - no secret


def user_agent(contact_url: str | None) -> str:
    """Name, version, and where to complain when that is set."""
    contact = f" (+{contact_url})" if contact_url else ""
    return f"{PRODUCT_TOKEN}/{version('omni_pipeline')}{contact}"
