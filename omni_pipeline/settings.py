"""The environment, read once into one frozen value; no other module reads ``os.environ``."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from omni_pipeline.errors import SettingsError

CHECKOUT = Path(__file__).resolve().parent.parent

OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_OPENAI_MODEL = "text-embedding-3-small"

# A day between two refreshes, and two hours for the queue and the crawl.
FRESH_HOURS = 26.0

MAX_PORT = 65535
MAX_COUNT = 10**12

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, kw_only=True)
class EmbeddingSettings:
    """Which endpoint turns text into vectors.

    Attributes:
        base_url: Any OpenAI-compatible endpoint. Without it: OpenAI's where there is a key, else
            the model inside this process.
        model: The model of an empty index; without it, the endpoint's default.
        dimensions: How long its vectors are, where the model is not a known one.
        api_key: The key of the embedding endpoint, and of the chat model's.
        requests_per_minute: Of all runs together; without it, learned from refusals.
        tokens_per_minute: Of all runs together; without it, learned from refusals.
        price_per_million: US dollars for a million tokens; without it, OpenAI's list prices.
    """

    base_url: str | None = None
    model: str | None = None
    dimensions: int | None = None
    api_key: str | None = field(default=None, repr=False)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    price_per_million: Decimal | None = None

    @property
    def is_local(self) -> bool:
        return self.base_url is None and self.api_key is None


@dataclass(frozen=True, kw_only=True)
class ExtractionSettings:
    """The chat model that reads product pages of which the rules make too little.

    It is asked where the embedding model is: at the same address, with the same key.

    Attributes:
        model: The chat model; without it nothing is asked.
        input_price: US dollars for a million tokens sent; unknown without it.
        output_price: US dollars for a million tokens answered; unknown without it.
    """

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    input_price: Decimal | None = None
    output_price: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a process of this project may be told from outside.

    Attributes:
        home: Where state is kept (embedded Postgres, Dagster's files): ``.omni`` in the checkout,
            else ``~/.omni``.
        database_url: libpq URL of the store; without it a Postgres of our own runs under the home.
        dagster_database_url: libpq URL of Dagster's own storage; without it, a second database on
            the same server, named like the first with ``_dagster`` behind it.
        allow_addresses: Pairs that may be crawled although they are not public.
        contact_url: Where a site's owner learns who crawls; part of the User-Agent.
        browser_path: The Chromium to render with; without it, the one that is found.
        alert_urls: Where alerts go: apprise URLs, and https URLs for signed webhooks.
        alert_webhook_secret: What those webhooks are signed with; without it they are not.
        faults: Crash points that tests arm.
        lease_seconds: A running job is dead when it has not beaten for this long.
        heartbeat_seconds: How often a running job beats.
        recency_hours: A page checked this recently is not fetched again unless forced.
        fresh_hours: A domain whose last success is older is stale: its check is red, and people
            are notified.
        chunk_tokens: Most tokens of one chunk; without it, the model's own. A change re-chunks on
            the next refresh.
        daily_token_budget: Most tokens that all domains together pay for in a day (UTC).
        pg_os_user: Whom root runs a new embedded server as; without it postgres, else nobody.
        has_auth: Somebody vouches that a login stands in front of Dagster's UI, so that ``omni up
            --host`` may listen elsewhere than on loopback.
        warm_runs: ``omni up`` forks runs from a process that has everything imported.
    """

    home: Path
    database_url: str | None = field(default=None, repr=False)
    dagster_database_url: str | None = field(default=None, repr=False)
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    extraction: ExtractionSettings | None = None
    allow_addresses: frozenset[tuple[IPAddress, int]] = frozenset()
    contact_url: str | None = None
    browser_path: Path | None = None
    alert_urls: tuple[str, ...] = field(default=(), repr=False)
    alert_webhook_secret: str | None = field(default=None, repr=False)
    faults: str | None = None
    lease_seconds: float = 90.0
    heartbeat_seconds: float = 15.0
    recency_hours: float = 24.0
    fresh_hours: float = FRESH_HOURS
    chunk_tokens: int | None = None
    daily_token_budget: int | None = None
    pg_os_user: str | None = None
    has_auth: bool = False
    warm_runs: bool = False


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environment`` (default: the process's own).

    Raises:
        SettingsError: A value breaks its rule; the message names variable, value and remedy.
    """
    env = os.environ if environment is None else environment
    lease_seconds = _number(env, "OMNI_LEASE_SECONDS", default=90.0, minimum=1.0)
    heartbeat_seconds = _number(env, "OMNI_HEARTBEAT_SECONDS", default=15.0, minimum=0.1)
    if heartbeat_seconds * 3 > lease_seconds:
        raise SettingsError(
            f"OMNI_HEARTBEAT_SECONDS={heartbeat_seconds:g} is more than a third of "
            f"OMNI_LEASE_SECONDS={lease_seconds:g}: one missed beat could end a live run. "
            "Lower the heartbeat or raise the lease."
        )
    return Settings(
        home=_home(env),
        database_url=_database_url(env, "OMNI_DATABASE_URL"),
        dagster_database_url=_database_url(env, "OMNI_DAGSTER_DATABASE_URL"),
        embedding=_embedding(env),
        extraction=_extraction(env),
        allow_addresses=_addresses(env),
        contact_url=env.get("OMNI_CONTACT_URL") or None,
        browser_path=Path(env["OMNI_BROWSER_PATH"]) if env.get("OMNI_BROWSER_PATH") else None,
        alert_urls=tuple(env.get("OMNI_ALERT_URLS", "").split()),
        alert_webhook_secret=env.get("OMNI_ALERT_WEBHOOK_SECRET") or None,
        faults=env.get("OMNI_FAULTS") or None,
        lease_seconds=lease_seconds,
        heartbeat_seconds=heartbeat_seconds,
        recency_hours=_number(env, "OMNI_RECENCY_HOURS", default=24.0, minimum=0.0),
        fresh_hours=_number(env, "OMNI_FRESH_HOURS", default=FRESH_HOURS, minimum=1.0),
        chunk_tokens=_whole_number(env, "OMNI_CHUNK_TOKENS", minimum=32, maximum=8192),
        daily_token_budget=_whole_number(
            env, "OMNI_DAILY_TOKEN_BUDGET", minimum=1, maximum=MAX_COUNT
        ),
        pg_os_user=env.get("OMNI_PG_OS_USER") or None,
        has_auth=_yes_or_no(env, "OMNI_I_HAVE_AUTH"),
        warm_runs=_yes_or_no(env, "OMNI_WARM_RUNS"),
    )


def _home(env: Mapping[str, str]) -> Path:
    if value := env.get("OMNI_HOME"):
        return Path(value).expanduser().resolve()
    in_checkout = (CHECKOUT / "pyproject.toml").is_file()
    return CHECKOUT / ".omni" if in_checkout else Path("~/.omni").expanduser()


def _database_url(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if not value:
        return None
    scheme = value.partition("://")[0]
    if scheme not in ("postgresql", "postgres"):
        raise SettingsError(
            f"{name} starts with {scheme[:20]!r}: it must be a URL such as "
            "postgresql://user:password@host:5432/omni."
        )
    return value


def _embedding(env: Mapping[str, str]) -> EmbeddingSettings:
    base_url = env.get("OMNI_EMBEDDING_BASE_URL") or None
    if base_url is not None:
        _check_base_url(base_url)
    return EmbeddingSettings(
        base_url=base_url,
        model=env.get("OMNI_EMBEDDING_MODEL") or None,
        dimensions=_whole_number(env, "OMNI_EMBEDDING_DIMENSIONS", minimum=1, maximum=4000),
        api_key=env.get("OPENAI_API_KEY") or None,
        requests_per_minute=_whole_number(
            env, "OMNI_EMBEDDING_REQUESTS_PER_MINUTE", minimum=1, maximum=MAX_COUNT
        ),
        tokens_per_minute=_whole_number(
            env, "OMNI_EMBEDDING_TOKENS_PER_MINUTE", minimum=1, maximum=MAX_COUNT
        ),
        price_per_million=_price(env, "OMNI_EMBEDDING_PRICE_PER_MILLION_TOKENS"),
    )


def _extraction(env: Mapping[str, str]) -> ExtractionSettings | None:
    model = env.get("OMNI_EXTRACTION_MODEL")
    if not model:
        return None
    base_url, api_key = env.get("OMNI_EMBEDDING_BASE_URL"), env.get("OPENAI_API_KEY")
    if not base_url and not api_key:
        raise SettingsError(
            f"OMNI_EXTRACTION_MODEL={model!r} names a chat model, and there is nobody to ask it "
            "of: set OPENAI_API_KEY, or OMNI_EMBEDDING_BASE_URL for another endpoint than OpenAI's."
        )
    return ExtractionSettings(
        model=model,
        base_url=base_url or None,
        api_key=api_key or None,
        input_price=_price(env, "OMNI_EXTRACTION_INPUT_PRICE_PER_MILLION_TOKENS"),
        output_price=_price(env, "OMNI_EXTRACTION_OUTPUT_PRICE_PER_MILLION_TOKENS"),
    )


def _price(env: Mapping[str, str], name: str) -> Decimal | None:
    value = env.get(name)
    if not value:
        return None
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value):
        raise SettingsError(
            f"{name}={value!r}: it must be US dollars for a million tokens, for example 0.02, or 0 "
            "where they cost nothing."
        )
    return Decimal(value)


def _check_base_url(value: str) -> None:
    """Keys travel to this address: https, or plain http to this very machine (S-72)."""
    parts = urlsplit(value)
    host = parts.hostname or ""
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and host in ("127.0.0.1", "localhost", "::1"):
        return
    raise SettingsError(
        f"OMNI_EMBEDDING_BASE_URL={value!r} is neither https nor http on loopback: the API key "
        "would travel in clear. Use https://host/v1, or http://127.0.0.1:PORT/v1."
    )


def _addresses(env: Mapping[str, str]) -> frozenset[tuple[IPAddress, int]]:
    entries = env.get("OMNI_ALLOW_ADDRESSES", "").replace(",", " ").split()
    return frozenset(_address(entry) for entry in entries)


def _address(entry: str) -> tuple[IPAddress, int]:
    host, _, port = entry.rpartition(":")
    try:
        number = int(port)
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        raise SettingsError(
            f"OMNI_ALLOW_ADDRESSES has {entry!r}: each entry is ADDRESS:PORT with a numeric "
            "address, for example 127.0.0.1:8080 or [::1]:8080."
        ) from error
    if not 1 <= number <= MAX_PORT:
        raise SettingsError(f"OMNI_ALLOW_ADDRESSES has {entry!r}: ports are 1 to 65535.")
    return address, number


def _number(env: Mapping[str, str], name: str, *, default: float, minimum: float) -> float:
    value = env.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not minimum <= number < float("inf"):
        raise SettingsError(f"{name}={value!r}: it must be a number of at least {minimum:g}.")
    return number


def _yes_or_no(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "")
    if value not in ("", "0", "1"):
        raise SettingsError(f"{name}={value!r}: it must be 1, or 0 or unset.")
    return value == "1"


def _whole_number(env: Mapping[str, str], name: str, *, minimum: int, maximum: int) -> int | None:
    value = env.get(name)
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or not minimum <= int(value) <= maximum:
        raise SettingsError(
            f"{name}={value!r}: it must be a whole number from {minimum} to {maximum}."
        )
    return int(value)
