"""The way to people: chats, mail and the like through apprise, programs by webhooks."""

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from omni_pipeline.domain.alert_messages import Message, disarmed
from omni_pipeline.domain.redaction import Redactor
from omni_pipeline.errors import OmniError, SettingsError, TemporaryError
from omni_pipeline.gateways.notify.webhook import Webhook
from omni_pipeline.settings import Settings

if TYPE_CHECKING:
    from apprise import NotifyBase

LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Shorter parts of a target's address are words such as "services", not keys.
MIN_KEY_LENGTH = 8


class NotDeliveredError(TemporaryError):
    """A target did not accept a message; it is kept and sent again."""

    kind = "transient.alert_target"


class Target(Protocol):
    """Somewhere alerts are sent to; ``name`` has no secret in it."""

    @property
    def name(self) -> str: ...

    def check(self) -> None:
        """Make sure, without asking anybody, that alerts can go there.

        Raises:
            SettingsError: Its address is not one that they can go to.
        """

    def send(self, message: Message) -> None:
        """Send, or raise what came back.

        Raises:
            NotDeliveredError: It did not accept.
            SettingsError: Its address is not one that alerts can go to.
        """


def open_targets(settings: Settings) -> list[Target]:
    """The targets that ``OMNI_ALERT_URLS`` names. Nothing is contacted yet.

    One that cannot be used is among them and says so when it is sent to: the others still work.
    """
    targets = [_open(url, settings.alert_webhook_secret) for url in settings.alert_urls]
    return list({target.name: target for target in targets}.values())


def find_unusable(targets: Iterable[Target]) -> dict[str, str]:
    """Why nothing can ever reach some of these targets, by their names."""
    complaints: dict[str, str] = {}
    for target in targets:
        try:
            target.check()
        except SettingsError as error:
            complaints[target.name] = str(error)
    return complaints


def _open(url: str, secret: str | None) -> Target:
    scheme = re.sub(r"[^a-z0-9+.-]", "", url.partition("://")[0].lower()[:20])
    name = f"{scheme} #{hashlib.sha256(url.encode()).hexdigest()[:6]}"
    if scheme not in ("http", "https"):
        return AppriseTarget(name=name, url=url)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        name = f"webhook {host} #{name[-6:]}"
    except ValueError:
        return UnusableTarget(name=name, reason="its address cannot be read")
    if scheme == "http" and host not in LOOPBACK:
        return UnusableTarget(
            name=name,
            reason="plain http would send alerts in clear: use https, or http on loopback",
        )
    return _RedactedWebhook(name=name, webhook=Webhook(url=url, secret=secret))


@dataclass(frozen=True, kw_only=True)
class UnusableTarget:
    """An entry of ``OMNI_ALERT_URLS`` that nothing can be sent to."""

    name: str
    reason: str

    def check(self) -> None:
        raise SettingsError(f"{self.name} in OMNI_ALERT_URLS cannot be used: {self.reason}.")

    def send(self, message: Message) -> None:  # noqa: ARG002 - as every target does
        self.check()


@dataclass(frozen=True, kw_only=True)
class _RedactedWebhook:
    name: str
    webhook: Webhook

    def check(self) -> None:
        """That its address is one was seen when it was opened."""

    def send(self, message: Message) -> None:
        if problem := self.webhook.post(message):
            raise _not_delivered(self.name, self.webhook.url, problem)


@dataclass(frozen=True, kw_only=True)
class AppriseTarget:
    """A service that apprise speaks to, as plain text without anything it could take for markup."""

    name: str
    url: str = field(repr=False)

    def check(self) -> None:
        self._service()

    def send(self, message: Message) -> None:
        import apprise  # noqa: PLC0415 - 180 services' worth of imports, for whoever sends

        service = self._service()
        log = apprise.LogCapture(level=logging.WARNING)  # type: ignore[no-untyped-call]  # theirs
        with log as said:
            try:
                is_accepted = service.notify(
                    title=disarmed(message.title),
                    body=disarmed(message.text),
                    body_format=apprise.NotifyFormat.TEXT,
                )
            except Exception as error:  # noqa: BLE001 - 180 plugins; one's bug stops no other
                raise _not_delivered(self.name, self.url, repr(error)) from None
            if not is_accepted:
                raise _not_delivered(self.name, self.url, said.getvalue())

    def _service(self) -> "NotifyBase":
        import apprise  # noqa: PLC0415 - as above

        asset = apprise.AppriseAsset(
            app_id="omni_pipeline", storage_mode="memory", http_redirects=False
        )
        service = apprise.Apprise.instantiate(self.url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise SettingsError(
                f"{self.name} in OMNI_ALERT_URLS cannot be used: apprise knows no such address. "
                "Its documentation lists how each service is written."
            )
        return service


def _not_delivered(name: str, url: str, reason: str) -> OmniError:
    """Without a cause: what libraries raise quotes addresses, and with them keys."""
    why = Redactor(secrets=tuple(_secrets_of(url))).line(reason, limit=200)
    return NotDeliveredError(f"{name} did not take the message: {why or 'it gave no reason'}")


def _secrets_of(url: str) -> Iterator[str]:
    """What may be a key in a target's address: all of it, its login, path and query."""
    yield url
    parts = urlsplit(url)
    found = [parts.netloc.rpartition("@")[0], *parts.path.split("/")]
    found += [value for _, value in parse_qsl(parts.query)]
    found += parts.netloc.rpartition("@")[0].split(":")
    if parts.scheme not in ("http", "https"):
        found.append(parts.netloc)  # apprise keeps tokens where others have a host
    yield from (unquote(part) for part in found if len(part) >= MIN_KEY_LENGTH)
