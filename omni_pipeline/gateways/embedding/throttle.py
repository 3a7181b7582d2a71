"""What stands before the embedding client: whether, and when, a request may be sent.

The client knows only this much of the breaker and the rate limit that all runs share.
"""

from typing import Protocol

from omni_pipeline.errors import OmniError


class Throttle(Protocol):
    """Lets requests through one by one, and learns from what became of them."""

    def enter(self, tokens: int) -> None:
        """Return when a request of so many tokens may be sent.

        Raises:
            TemporaryError: Not within reasonable time.
            PermanentError: Not before a person has acted.
        """

    def succeeded(self) -> None:
        """Note that the endpoint answered the request that was let in."""

    def failed(self, error: OmniError) -> None:
        """Note how the request that was let in failed."""


class NoThrottle:
    """Lets everybody in: for the model inside this process, and for a person's single question."""

    def enter(self, tokens: int) -> None:
        """At once."""

    def succeeded(self) -> None:
        """Nobody needs to know."""

    def failed(self, error: OmniError) -> None:
        """Nobody needs to know."""
