"""`omni scrape` and `omni discover`: a look at the web without any database (R-B8)."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline_tests.commands.conftest import CommandLine
from omni_pipeline_tests.embedding_server import DIMENSIONS, MODEL, EmbeddingServer


@pytest.fixture
def looker(site: SampleServer, tmp_path: Path) -> CommandLine:
    """The command line without a database, an endpoint or a home: where it would be one appears."""
    return CommandLine(
        environment={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "COLUMNS": "80",
            "OMNI_HOME": str(tmp_path / "home"),
            "OMNI_ALLOW_ADDRESSES": urlsplit(site.url).netloc,
        }
    )


def test_scrape_prints_the_text_alone_on_standard_output_and_starts_nothing(
    looker: CommandLine, site: SampleServer, tmp_path: Path
) -> None:
    result = looker.run("scrape", f"{site.url}/docs/watering.html", "--http")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("# ")
    assert "words" in result.stderr
    assert "tokens" in result.stderr
    assert not (tmp_path / "home").exists()


def test_scrape_gives_json_and_html(looker: CommandLine, site: SampleServer) -> None:
    url = f"{site.url}/docs/watering.html"
    page = json.loads(looker.run("scrape", url, "--http", "--json").stdout)
    assert (page["url"], page["status"], page["rendered_by"]) == (url, 200, "http")
    assert page["words"] == len(page["markdown"].split()) > 50
    assert page["tokens"] > page["words"]
    assert "<html" in looker.run("scrape", url, "--http", "--raw").stdout


def test_scrape_tells_when_a_page_was_written_and_where_it_stands(
    looker: CommandLine, site: SampleServer
) -> None:
    path = "/docs/watering.html"
    site.pages[path] = site.read(path).replace(
        "<body>",
        '<body><meta itemprop="datePublished" content="2024-02-29T08:00:00Z">'
        '<p class="breadcrumbs"><a>Docs</a> / <a>Wat\x1bering</a></p>',
    )
    url = f"{site.url}{path}"
    shown = looker.run("scrape", url, "--http").stderr
    page = json.loads(looker.run("scrape", url, "--http", "--json").stdout)
    assert re.search(r"published +2024-02-29$", shown, re.MULTILINE)
    assert re.search(r"within +Docs > Watering$", shown, re.MULTILINE)
    assert (page["published_on"], page["modified_on"]) == ("2024-02-29", None)
    assert page["breadcrumbs"] == ["Docs", "Watering"]


def test_scrape_says_in_one_line_why_there_is_no_page(
    looker: CommandLine, site: SampleServer
) -> None:
    site.pages["/shell.html"] = "<div id=root></div><script src=app.js></script>"
    missing = looker.run("scrape", f"{site.url}/nothing.html", "--http")
    shell = looker.run("scrape", f"{site.url}/shell.html", "--http")
    for result in (missing, shell):
        assert result.returncode == 1
        assert len(result.stderr.strip().splitlines()) == 1
    assert "404" in missing.stderr
    assert f"omni scrape --browser {site.url}/shell.html" in shell.stderr
    raw = looker.run("scrape", f"{site.url}/shell.html", "--http", "--raw")
    assert "root" in raw.stdout


def test_discover_estimates_and_says_how_to_go_on(
    looker: CommandLine, site: SampleServer, tmp_path: Path
) -> None:
    result = looker.run("discover", f"{site.url}/")
    assert result.returncode == 0, result.stderr
    assert f"omni domains add {site.url}/" in result.stdout
    assert "estimated" in result.stdout
    assert not (tmp_path / "home").exists()
    report = json.loads(looker.run("discover", f"{site.url}/", "--json").stdout)
    assert report["robots"]["allows_start"]
    assert report["sitemap"]["urls"] > 5
    assert report["estimate"]["tokens"] > 0
    assert report["next_commands"][0].startswith("omni domains add")


def test_discover_prices_by_the_setting_that_the_bill_goes_by(
    looker: CommandLine, site: SampleServer, embedding_server: EmbeddingServer
) -> None:
    endpoint = {
        "OMNI_EMBEDDING_BASE_URL": embedding_server.base_url,
        "OMNI_EMBEDDING_MODEL": MODEL,
        "OMNI_EMBEDDING_DIMENSIONS": str(DIMENSIONS),
    }
    unpriced = looker.run("discover", f"{site.url}/", "--json", **endpoint)
    assert json.loads(unpriced.stdout)["estimate"]["dollars"] is None
    endpoint["OMNI_EMBEDDING_PRICE_PER_MILLION_TOKENS"] = "5"
    report = json.loads(looker.run("discover", f"{site.url}/", "--json", **endpoint).stdout)
    guess = report["estimate"]
    assert guess["dollars"] == pytest.approx(guess["tokens"] * 5 / 1_000_000)
    shown = looker.run("discover", f"{site.url}/", **endpoint).stdout
    assert "$5 a million tokens" in " ".join(shown.split())
