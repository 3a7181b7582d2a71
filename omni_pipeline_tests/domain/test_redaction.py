"""No secret reaches a person's eyes (S-71), no page writes our log lines (S-74)."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.redaction import REDACTED, Redactor
from omni_pipeline.settings import EmbeddingSettings, Settings

CANARY = "canary/9f&8a+7b6c"


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abc123DEF456.",
        "key sk-abc*****wxyz was refused",
        "postgresql://omni:hunter2hunter2@db.example.com/omni refused",
        "proxy http://user:hunter2hunter2@10.0.0.1:3128 failed",
        "GET https://shop.example.com/a?id=7&token=hunter2hunter2&x=1 answered 500",
        "GET https://s3.example.com/f?X-Amz-Signature=hunter2hunter2",
        "connection failed: host=db password=hunter2hunter2 user=omni",
        '{"api_key": "hunter2hunter2", "model": "m"}',
        "Authorization: Bearer hunter2hunter2",
        "set-cookie: session=hunter2hunter2; Path=/",
        "'Cookie': 'a=hunter2hunter2'",
        "tried Bearer hunter2hunter2 twice",
    ],
)
def test_what_looks_like_a_secret_is_blanked_out(text: str) -> None:
    redacted = Redactor().redact(text)
    assert REDACTED in redacted
    for secret in ("hunter2", "sk-proj", "sk-abc", "wxyz"):
        assert secret not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "https://docs.example.com/guide?page=2&sort=key answered 404",
        "The page has 300 tokens; at most 254.",
        "partition key docs.example.com:8080 is not a host",
        "Check OPENAI_API_KEY.",
        "mail someone@example.com about it",
        "task-list and risk-free words",
    ],
)
def test_ordinary_messages_stay_as_they_are(text: str) -> None:
    assert Redactor().redact(text) == text


@pytest.mark.parametrize(
    "form", [CANARY, "canary%2F9f%268a%2B7b6c", f"x{CANARY}y", f'{{"e": "{CANARY}"}}']
)
def test_a_known_secret_is_blanked_out_in_every_form_it_travels_in(form: str) -> None:
    redacted = Redactor(secrets=(CANARY,)).redact(f"before {form} after")
    assert "9f" not in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")


def test_a_secret_that_contains_another_is_blanked_out_whole() -> None:
    assert Redactor(secrets=("secret", "secret-and-more")).redact("a secret-and-more b") == (
        f"a {REDACTED} b"
    )


def test_the_redactor_of_the_settings_knows_all_their_secrets() -> None:
    settings = Settings(
        home=Path("/x"),
        database_url="postgresql://omni:pa%40ssword1@db/omni",
        dagster_database_url="postgresql://dagster:pa55word2@db/dagster",
        embedding=EmbeddingSettings(api_key="key-number-3"),
        alert_urls=("https://hooks.example.com/T0/B0/webhook4",),
    )
    redactor = Redactor.of_settings(settings)
    said = "pa%40ssword1 pa@ssword1 pa55word2 key-number-3 https://hooks.example.com/T0/B0/webhook4"
    assert redactor.redact(said) == " ".join([REDACTED] * 5)
    assert "key-number" not in repr(redactor)


def test_a_short_password_does_not_shred_every_message() -> None:
    assert Redactor(secrets=("omni",)).redact("omni refresh failed") == "omni refresh failed"


def test_a_line_is_one_line_without_control_characters() -> None:
    """S-74."""
    line = Redactor().line("a\r\nWARNING fake\x1b[31mred\u2028next\u202eevil\x00")
    assert line == "a WARNING fake [31mred next evil"


def test_a_line_is_short_and_says_that_it_was_cut() -> None:
    line = Redactor().line("word " * 100_000)
    assert len(line) == 300
    assert line.endswith("…")


def test_cutting_does_not_uncover_a_secret() -> None:
    for offset in range(280, 310):
        line = Redactor(secrets=("s3cr3t-s3cr3t",)).line("x" * offset + " s3cr3t-s3cr3t")
        assert "s3c" not in line


@pytest.mark.parametrize(
    "piece",
    [
        "://",
        "a",
        "?token=",
        "&",
        "password",
        "password=",
        "sk-",
        "Bearer ",
        "cookie",
        " ",
        "@",
        "*",
    ],
)
def test_no_input_makes_it_slow(piece: str) -> None:
    """S-49: linear in the text; 1 MiB of the worst takes well under a second."""
    text = piece * (2**20 // len(piece))
    started = time.process_time()
    Redactor(secrets=(CANARY,)).redact(text)
    assert time.process_time() - started < 1.0


@given(st.text(), st.text(), st.text(alphabet="abcXYZ0189-_", min_size=6))
def test_a_known_secret_never_comes_through(before: str, after: str, secret: str) -> None:
    redacted = Redactor(secrets=(secret,)).redact(f"{before}{secret}{after}")
    assert secret not in redacted.replace(REDACTED, "\n")
