"""Errors sorted by what to do next: try again later, or stop until a person has acted."""


class OmniError(Exception):
    """Root of every error this package raises on purpose.

    The message is one line for a person: what was attempted, what came back, and what to do.
    ``kind`` is the stable word under which the error is stored and counted, for example
    ``transient.timeout`` or ``permanent.input_too_long``.
    """

    kind = "unclassified"

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind


class TemporaryError(OmniError):
    """The same call may work later; retrying is right."""

    kind = "transient"

    def __init__(
        self,
        message: str,
        *,
        kind: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, kind=kind)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(OmniError):
    """Someone must act first; retrying the same call cannot help."""

    kind = "permanent"


class SettingsError(PermanentError):
    """A setting, argument or registered value breaks a rule; the message names all three."""

    kind = "permanent.settings"


class UnknownDomainError(PermanentError):
    """The domain is not registered."""

    kind = "permanent.unknown_domain"


class DomainBusyError(TemporaryError):
    """Another run holds the domain's lease; the message names the holder."""

    kind = "transient.domain_busy"


class LeaseLostError(PermanentError):
    """This run no longer holds its domain: it was reaped, fenced out, or the domain was removed.

    Nothing of the transaction in which it is raised was written.
    """

    kind = "permanent.lease_lost"


class SchemaError(PermanentError):
    """The database's schema is behind, ahead of, or different from this code's migrations."""

    kind = "permanent.schema"
