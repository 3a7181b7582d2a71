"""How much one fetch may cost: seconds, bytes, attempts (P-8)."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """The bounds of one fetch, and of what one host may make all fetches wait.

    Attributes:
        connect_seconds: Resolving the name and dialling; TLS has as much again.
        first_byte_seconds: From the request to the end of the headers; later, silence.
        whole_seconds: One attempt, whatever happens in it.
        slow_bytes_per_second: A body slower than this for ``slow_seconds`` is given up.
        body_bytes: A page, inflated; also what may travel for it.
        header_bytes: All response headers together.
        attempts: Of one fetch, the first included.
        retry_within_seconds: What attempts and the pauses between them may take before the last
            attempt starts; waiting for the host's turn, or as long as it asked, is not counted.
        pause_seconds: Before the second attempt; doubled for the third; halved at random.
        hold_seconds: A host that asks for up to this much quiet gets it; fetches wait. One that
            asks for more is not waited for.
        breaker_failures: After so many failed attempts in a row nothing is tried again on the
            host, until it answers (F-D12).
    """

    connect_seconds: float = 5.0
    first_byte_seconds: float = 15.0
    whole_seconds: float = 60.0
    slow_bytes_per_second: int = KIB
    slow_seconds: float = 20.0
    body_bytes: int = 10 * MIB
    header_bytes: int = 64 * KIB
    attempts: int = 3
    retry_within_seconds: float = 30.0
    pause_seconds: float = 1.0
    hold_seconds: float = 300.0
    breaker_failures: int = 10
