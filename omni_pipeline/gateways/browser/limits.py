"""How much one rendered page, and the browser itself, may cost (P-8, F-E5)."""

from dataclasses import dataclass

from omni_pipeline.gateways.http.limits import MIB


@dataclass(frozen=True, kw_only=True)
class RenderLimits:
    """The bounds of rendering.

    Attributes:
        wall_seconds: One page in one tab, whatever happens in it.
        quiet_seconds: A page has settled when it asked for nothing for so long.
        settle_seconds: Most waiting for that quiet, once the document was read.
        requests: Of one page, its document included.
        body_bytes: All that travels for one page.
        html_bytes: The document as the browser serializes it.
        pages_per_browser: Chromium grows with every page; it is started anew after so many.
        tree_bytes: Memory of all its processes at which it is started anew; twice as much and it
            is killed on the spot.
        close_seconds: Closing anything; then it is killed.
    """

    wall_seconds: float = 45.0
    quiet_seconds: float = 0.5
    settle_seconds: float = 5.0
    requests: int = 200
    body_bytes: int = 50 * MIB
    html_bytes: int = 10 * MIB
    pages_per_browser: int = 100
    tree_bytes: int = 1024 * MIB
    close_seconds: float = 5.0
