"""What an endpoint may refuse of a page, as an error of its own."""

from omni_pipeline.errors import OmniError


class PageRefusedError(OmniError):
    """The endpoint will not look at this page; that says nothing of the others."""

    kind = "permanent.page_refused"
