"""One page under several URLs: which of them stands for it."""

from collections.abc import Iterable

from omni_pipeline.domain.web.urls import url_parts


def representative(urls: Iterable[str], *, published: frozenset[str], start_url: str) -> str:
    """The URL that stays of those that show one body.

    A page that was published stays published, the home page is itself; else the plainest spelling
    is the likeliest to last: without a query, without parameters of the path, the shortest.
    """

    def order(url: str) -> tuple[bool, bool, bool, bool, int, str]:
        target = url_parts(url).target
        return (
            url not in published,
            url != start_url,
            "?" in target,
            ";" in target,
            len(target),
            target.swapcase(),  # lower case before upper
        )

    return min(urls, key=order)
