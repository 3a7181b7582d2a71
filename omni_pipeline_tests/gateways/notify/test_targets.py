"""Messages to people and programs, over real sockets."""

import hashlib
import hmac
from collections.abc import Iterator

import pytest

from omni_pipeline.domain.alert_messages import Message
from omni_pipeline.errors import OmniError, SettingsError
from omni_pipeline.gateways.notify.targets import (
    NotDeliveredError,
    Target,
    find_unusable,
    open_targets,
)
from omni_pipeline.settings import read_settings
from omni_pipeline_tests.conftest import find_free_port
from omni_pipeline_tests.webhook_receiver import WebhookReceiver

# Apprise asks whether a module of the standard library is still there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "a-shared-secret-of-two"
HOSTILE = "[x](javascript:alert(1)) <img src=x onerror=alert(1)> <!channel> @everyone"
MESSAGE = Message(id="id-1", title="omni alert: 1 new", text=HOSTILE)


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as server:
        yield server


def targets(*urls: str, secret: str = SECRET) -> list[Target]:
    environment = {"OMNI_ALERT_URLS": " ".join(urls), "OMNI_ALERT_WEBHOOK_SECRET": secret}
    return open_targets(read_settings(environment))


def problem_with(url: str, *, secret: str = SECRET) -> OmniError:
    [target] = targets(url, secret=secret)
    with pytest.raises(OmniError) as caught:
        target.send(MESSAGE)
    return caught.value


def test_a_webhook_is_signed_over_its_time_and_body(receiver: WebhookReceiver) -> None:
    [target] = targets(receiver.url)
    target.send(MESSAGE)
    [received] = receiver.received
    timestamp = received.headers["x-omni-timestamp"]
    expected = hmac.new(
        SECRET.encode(), timestamp.encode() + b"." + received.body, hashlib.sha256
    ).hexdigest()
    assert received.headers["x-omni-signature"] == f"sha256={expected}"
    assert received.headers["x-omni-message"] == "id-1"
    assert received.json["text"] == HOSTILE


def test_a_webhook_without_a_secret_is_sent_unsigned(receiver: WebhookReceiver) -> None:
    """Who only names an address expects messages to arrive there."""
    [target] = targets(receiver.url, secret="")
    target.send(MESSAGE)
    [received] = receiver.received
    assert received.json["text"] == HOSTILE
    assert "x-omni-signature" not in received.headers


def test_a_target_is_known_by_the_same_name_with_and_without_a_secret() -> None:
    """Or it would be told of everything again."""
    url = "https://hooks.test/a"
    assert targets(url)[0].name == targets(url, secret="")[0].name


def test_a_webhook_in_clear_is_refused() -> None:
    assert "https" in str(problem_with("http://hooks.example.com/x"))


def test_a_redirect_is_not_followed(receiver: WebhookReceiver) -> None:
    """A signed message goes where it was sent, and nowhere else."""
    with WebhookReceiver() as elsewhere:
        receiver.status, receiver.headers = 307, {"location": elsewhere.url}
        assert "HTTP 307" in str(problem_with(receiver.url))
        assert elsewhere.received == []


def test_what_came_back_is_told_on_one_line_without_the_targets_keys(
    receiver: WebhookReceiver,
) -> None:
    """S-71, S-74: servers echo addresses."""
    key = "T0ken-in-the-path-8841"
    receiver.status, receiver.answer = 500, f"no such hook /{key}?x\nat line 3".encode()
    error = problem_with(f"{receiver.url}/{key}?other=Q9-also-a-key")
    assert isinstance(error, NotDeliveredError)
    assert "HTTP 500 no such hook" in str(error)
    assert key not in str(error)
    assert "\n" not in str(error)


def test_a_target_that_is_down_is_no_exception_of_a_library() -> None:
    """F-G9."""
    error = problem_with(f"http://127.0.0.1:{find_free_port()}/hook")
    assert isinstance(error, NotDeliveredError)
    assert error.__cause__ is None


def test_apprise_is_sent_plain_words_only(receiver: WebhookReceiver) -> None:
    """S-57: chats of every kind get text in which nothing has a meaning of its own."""
    for scheme in ("json", "form"):
        [target] = targets(f"{scheme}://127.0.0.1:{receiver.port}/hook")
        target.send(MESSAGE)
        body = receiver.received[-1].body.decode()
        assert "omni" in body
        assert "<img" not in body
        assert "](" not in body
        assert "@everyone" not in body


def test_mail_and_chats_of_html_get_it_escaped() -> None:
    """S-57: as apprise converts what it was told is text."""
    from apprise.conversion import convert_between  # noqa: PLC0415 - warns where it is imported

    shown = convert_between("text", "html", HOSTILE)  # type: ignore[no-untyped-call]  # theirs
    assert "<img" not in shown


def test_apprise_says_why_it_could_not_and_not_where(receiver: WebhookReceiver) -> None:
    receiver.status = 503
    error = problem_with(f"json://user:pa55w0rd-long@127.0.0.1:{receiver.port}/S3cret-path-77")
    assert isinstance(error, NotDeliveredError)
    assert "503" in str(error)
    assert "pa55w0rd" not in str(error)
    assert "S3cret" not in str(error)


@pytest.mark.parametrize("url", ["bogus://x", "nothing", "https://[::1", "slack://"])
def test_an_address_that_cannot_be_used_says_so_and_stops_no_other(url: str) -> None:
    first, second = targets(url, "json://127.0.0.1:9/x")
    with pytest.raises(SettingsError, match="OMNI_ALERT_URLS"):
        first.send(MESSAGE)
    assert second.name.startswith("json")


def test_targets_that_cannot_be_used_are_found_without_sending(receiver: WebhookReceiver) -> None:
    found = targets("bogus://x", "http://in-clear.test/x", receiver.url, "json://127.0.0.1:9/x")
    unusable = find_unusable(found)
    assert list(unusable) == [found[0].name, found[1].name]
    assert all("OMNI_ALERT_URLS" in complaint for complaint in unusable.values())
    assert receiver.received == []


def test_names_tell_targets_apart_and_hold_no_secret() -> None:
    urls = (
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "mailto://user:hunter2-long@mail.test",
        "https://hooks.test/a-long-token-1",
        "https://hooks.test/a-long-token-2",
        "https://hooks.test/a-long-token-2",
    )
    names = [target.name for target in targets(*urls)]
    assert len(set(names)) == len(names) == 4
    assert names[2].startswith("webhook hooks.test #")
    shown = repr(targets(*urls))
    for secret in ("TIiajk", "hunter2", "a-long-token", SECRET):
        assert secret not in " ".join(names)
        assert secret not in shown
