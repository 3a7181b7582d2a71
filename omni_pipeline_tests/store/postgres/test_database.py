"""Sessions, their failures as they really arrive, and servers that are not fit for us."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import psycopg
import pytest
import sqlalchemy
from pgvector import HalfVector
from psycopg import Connection

from omni_pipeline.errors import OmniError, PermanentError, SettingsError, TemporaryError
from omni_pipeline.settings import Settings
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.postgres.database import Database, dagster_url, describe, open_database
from omni_pipeline.store.postgres.server_checks import Server, check_server, find_unfitness
from omni_pipeline.store.postgres.sqlstates import classified, classify
from omni_pipeline_tests.conftest import execute

AWKWARD_PASSWORD = "p@ss:/w%rd ?#&='\"\\"


def with_options(database: Database, **parameters: str) -> Database:
    return replace(database, url=f"{database.url}&{urlencode(parameters, quote_via=quote)}")


# Sessions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("client_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("application_name", "test"),
    ],
)
def test_every_session_has_our_rules(connection: Connection, name: str, value: str) -> None:
    assert connection.autocommit
    assert connection.execute(f"SHOW {name}".encode()).fetchone() == (value,)


def test_options_in_the_url_win_over_our_rules(database: Database) -> None:
    with with_options(database, options="-c statement_timeout=7s").connect() as conn:
        assert conn.execute("SHOW statement_timeout").fetchone() == ("7s",)
        assert conn.execute("SHOW lock_timeout").fetchone() == ("5s",)


def test_the_environment_of_libpq_cannot_redirect_a_session(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "/nowhere", "PGOPTIONS": "-c nonsense=1"}.items():
        monkeypatch.setenv(name, value)
    with database.connect() as conn:
        assert conn.info.dbname == database.url.partition("@/")[2].partition("?")[0]


@pytest.fixture
def with_vectors(empty_database: Database) -> Iterator[Connection]:
    with empty_database.connect() as conn:
        conn.execute("CREATE EXTENSION vector")
        conn.execute("CREATE TABLE embeddings (id bigint, embedding halfvec(3))")
    with empty_database.connect() as conn:
        yield conn


def test_half_vectors_travel_in_binary_alone_and_in_arrays(with_vectors: Connection) -> None:
    vector = HalfVector([1.0, 2.0, 0.5])
    query = "SELECT %b::halfvec, %b::halfvec[]"
    with with_vectors.cursor(binary=True) as cursor:
        assert cursor.execute(query, [vector, [vector, vector]]).fetchone() == (
            vector,
            [vector, vector],
        )


def test_half_vectors_travel_by_binary_copy(with_vectors: Connection) -> None:
    rows = [(number, HalfVector(np.full(3, number, np.float32))) for number in range(3)]
    with (
        with_vectors.cursor() as cursor,
        cursor.copy("COPY embeddings FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["int8", "halfvec"])
        for row in rows:
            copy.write_row(row)
    found = with_vectors.execute("SELECT id, embedding FROM embeddings ORDER BY id").fetchall()
    assert found == rows


def test_a_bare_array_is_refused_rather_than_sent_past_the_index(with_vectors: Connection) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="ndarray"):
        with_vectors.execute("SELECT %s::halfvec", [np.zeros(3, np.float32)])


# Servers that cannot be reached


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sec%zzret@host/omni",
        "postgresql://u:sec@ret@host/omni",
        "postgresql://u:sec/ret@host/omni",
        "postgresql://u:sec:ret@host:secret/omni",
        "postgresql://u:secret@host/omni?nosuchoption=1",
        "postgresql://u:sec ret",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    """S-71: libpq's own messages quote what it took for the host or the port."""
    with pytest.raises(SettingsError, match=r"written as %40") as caught:
        Database(url=url).connect()
    assert "sec" not in str(caught.value)
    assert "ret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unreachable_server_is_named_and_may_be_tried_again(free_port: int) -> None:
    url = f"postgresql://someone:secret@127.0.0.1:{free_port}/omni"
    with pytest.raises(TemporaryError, match="cannot be reached") as caught:
        Database(url=url).connect()
    message = str(caught.value)
    assert caught.value.kind == "transient.db_connection"
    assert f"postgresql://someone:***@127.0.0.1:{free_port}/omni" in message
    assert "OMNI_DATABASE_URL" in message
    assert "secret" not in message
    assert "\n" not in message


def test_a_wrong_password_is_permanent_and_not_shown(postgres: EmbeddedPostgres) -> None:
    url = postgres.tcp_url("postgres").replace("postgres:", "postgres:wrong-", 1)
    with pytest.raises(PermanentError, match=r"refused the login.*OMNI_DATABASE_URL") as caught:
        Database(url=url).connect()
    assert caught.value.kind == "permanent.db_login"
    assert "wrong-" not in str(caught.value)


def test_a_database_that_does_not_exist_is_permanent(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(PermanentError, match='database "nosuch" does not exist'):
        Database(url=postgres.url("nosuch")).connect()


def test_a_parameter_that_the_client_refuses_is_permanent(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(PermanentError, match="connect_timeout"):
        Database(url=f"{postgres.url('postgres')}&connect_timeout=soon").connect()


def test_a_full_server_may_be_tried_again(
    postgres: EmbeddedPostgres, empty_database: Database
) -> None:
    """F-B10: this refusal arrives without an SQLSTATE."""
    name = describe(empty_database.url).rpartition("/")[2]
    execute(postgres, "CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
    try:
        url = postgres.url(name).replace("//postgres@", "//crowd@")
        with pytest.raises(TemporaryError, match="too many connections"):
            Database(url=url).connect()
    finally:
        execute(postgres, "DROP ROLE crowd")


def test_no_secret_is_in_what_is_printed_of_a_database() -> None:
    url = f"postgresql://u:{quote('s3cret', safe='')}@host/omni?sslpassword=hidden"
    assert describe(url) == "postgresql://u:***@host/omni"
    assert "s3cret" not in repr(Database(url=url))


# Failures in a session


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("57P01", "transient.db_connection"),
        ("57P03", "transient.db_connection"),
        ("08006", "transient.db_connection"),
        ("25P03", "transient.db_idle_in_transaction"),
        ("57014", "transient.db_timeout"),
        ("55P03", "transient.db_lock_timeout"),
        ("40P01", "transient.db_deadlock"),
        ("40001", "transient.db_conflict"),
        ("53100", "transient.disk_full"),
        ("53200", "transient.db_resources"),
        ("53300", "transient.db_connections"),
        ("58030", "transient.db_system"),
        ("25006", "transient.readonly"),
        ("21000", "permanent.db_duplicate_in_batch"),
        ("22003", "permanent.value_not_storable"),
        ("22021", "permanent.text_not_storable"),
        ("22P02", "permanent.text_not_storable"),
        ("22P05", "permanent.text_not_storable"),
        ("54000", "permanent.too_large"),
        ("23503", "permanent.reference_gone"),
        ("23514", "permanent.db_constraint"),
        ("28P01", "permanent.db_login"),
        ("3D000", "permanent.db_login"),
        ("42501", "permanent.db_permission"),
        ("42P01", "permanent.schema"),
        ("42601", "permanent.db"),
        ("XX000", "permanent.db"),
    ],
)
def test_a_failure_is_classified_by_its_sqlstate(
    connection: Connection, state: str, kind: str
) -> None:
    statement = f"DO $$ BEGIN RAISE 'what happened' USING ERRCODE = '{state}'; END $$"
    expected = TemporaryError if kind.startswith("transient.") else PermanentError
    with pytest.raises(expected, match="what happened") as caught, classified():
        connection.execute(statement.encode())
    assert caught.value.kind == kind


def test_a_file_size_limit_counts_as_a_full_disk(connection: Connection) -> None:
    """F-B8: under ``ulimit -f`` Postgres reports an internal error."""
    statement = "DO $$ BEGIN RAISE 'could not extend: File too large' USING ERRCODE='XX000'; END $$"
    assert catch(lambda: connection.execute(statement)).kind == "transient.disk_full"


def catch(action: Callable[[], object]) -> OmniError:
    with pytest.raises(OmniError) as caught, classified():
        action()
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("text", ["nul \0 inside", "lone \ud800 surrogate"])
def test_text_that_the_client_refuses_is_named_as_such(connection: Connection, text: str) -> None:
    """These never reach the server, so they have no SQLSTATE."""
    error = catch(lambda: connection.execute("SELECT %s::text", [text]))
    assert error.kind == "permanent.text_not_storable"


def test_text_that_json_cannot_hold_is_named_without_quoting_it(connection: Connection) -> None:
    text = '{"crawled": "text \\u0000"}'
    error = catch(lambda: connection.execute("SELECT %s::jsonb", [text]))
    assert error.kind == "permanent.text_not_storable"
    assert "crawled" not in str(error)


def test_a_session_ended_by_an_administrator_is_a_lost_connection(connection: Connection) -> None:
    statement = "SELECT pg_terminate_backend(pg_backend_pid())"
    assert catch(lambda: connection.execute(statement)).kind == "transient.db_connection"
    assert catch(lambda: connection.execute("SELECT 1")).kind == "transient.db_connection"


def test_a_crash_of_the_server_is_a_lost_connection_without_a_state(database: Database) -> None:
    """The crash of one session resets all of them, and none of them gets an SQLSTATE.

    F-B2, F-B3.
    """
    with database.connect() as bystander, database.connect() as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        wait_until_back(database)
        with pytest.raises(psycopg.OperationalError) as caught:
            bystander.execute("SELECT 1")
    assert caught.value.sqlstate in (None, "57P02")
    assert classify(caught.value).kind == "transient.db_connection"


def wait_until_back(database: Database) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.05)
        try:
            database.connect().close()
        except TemporaryError:
            continue
        return


def test_our_own_errors_pass_unchanged() -> None:
    error = TemporaryError("as it was", kind="transient.timeout")
    assert classify(error) is error


def test_an_error_from_elsewhere_is_not_taken_for_the_databases() -> None:
    error = classify(ValueError("postgresql://u:secret@host is odd\nand long"))
    assert error.kind == "permanent.unexpected"
    assert str(error) == "Unexpected ValueError: postgresql://***@host is odd"


# Is the server fit?


def test_a_fit_server_tells_its_versions(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        server = check_server(conn)
        assert server.postgres.startswith("18.")
        assert server.pgvector is not None
        assert server.pgvector.startswith("0.8.")
        assert conn.execute("SELECT to_regtype('vector')").fetchone() == (None,), "left behind"


def test_a_server_without_pgvector_is_told_what_to_install(empty_database: Database) -> None:
    options = "-c extension_control_path=/nowhere"
    with (
        with_options(empty_database, options=options).connect() as conn,
        pytest.raises(PermanentError, match=r"no pgvector.*postgresql-18-pgvector"),
    ):
        check_server(conn)


def test_an_old_pgvector_is_told_what_to_upgrade(
    empty_database: Database, enterable_dir: Path
) -> None:
    folder = enterable_dir / "extension"
    folder.mkdir()
    (folder / "vector.control").write_text("default_version = '0.7.4'\n")
    (folder / "vector--0.7.4.sql").touch()
    options = f"-c extension_control_path={enterable_dir}"
    with (
        with_options(empty_database, options=options).connect() as conn,
        pytest.raises(PermanentError, match=r"pgvector 0\.7\.4: at least 0\.8 .*install"),
    ):
        check_server(conn)


FIT = Server(
    postgres_number=150018,
    postgres="15.18",
    is_read_only=False,
    pgvector="0.8.0",
    pgvector_available="0.8.0",
)


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        (FIT, None),
        (replace(FIT, pgvector="0.10.0"), None),
        (replace(FIT, postgres_number=140020, postgres="14.20"), "Postgres 14.20: at least 15"),
        (replace(FIT, pgvector="0.7.4"), "run ALTER EXTENSION vector UPDATE in this"),
        (replace(FIT, pgvector="0.7.4", pgvector_available="0.7.4"), "install a newer package"),
        (replace(FIT, pgvector=None), "postgresql-15-pgvector"),
    ],
)
def test_what_is_too_old_is_named_with_its_remedy(server: Server, complaint: str | None) -> None:
    found = find_unfitness(server)
    assert (found is None) if complaint is None else (complaint in str(found))


def test_a_read_only_server_may_be_tried_again(empty_database: Database) -> None:
    """F-B9: a failover replica."""
    options = "-c default_transaction_read_only=on"
    with (
        with_options(empty_database, options=options).connect() as conn,
        pytest.raises(TemporaryError, match="accepts no writes") as caught,
    ):
        check_server(conn)
    assert caught.value.kind == "transient.readonly"


def test_a_user_who_may_not_install_pgvector_is_told_who_may(
    real_server: Callable[..., Database],
) -> None:
    with (
        real_server("guest").connect() as conn,
        pytest.raises(PermanentError, match="have an administrator run CREATE EXTENSION"),
    ):
        check_server(conn)


# Which database


@pytest.fixture
def real_server(
    postgres: EmbeddedPostgres, empty_database: Database
) -> Iterator[Callable[..., Database]]:
    """Databases as an ordinary role with an awkward password reaches them, over TCP."""
    name = describe(empty_database.url).rpartition("/")[2]
    roles: list[str] = []

    def log_in(role: str, *, rights: str = "") -> Database:
        roles.append(role)
        with Database(url=postgres.url("postgres")).connect() as conn:
            password = AWKWARD_PASSWORD.replace("'", "''")
            conn.execute(f"CREATE ROLE {role} LOGIN {rights} PASSWORD '{password}'".encode())
        login = f"{role}:{quote(AWKWARD_PASSWORD, safe='')}"
        return Database(url=f"postgres://{login}@127.0.0.1:{postgres.tcp_port}/{name}")

    yield log_in
    execute(postgres, "DROP DATABASE IF EXISTS {}", f"{name}_dagster")
    for role in roles:
        execute(postgres, "DROP ROLE {}", role)


def ask_through_sqlalchemy(url: str) -> str:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    assert engine.dialect.driver == "psycopg2"
    with engine.connect() as connection:
        return str(connection.execute(sqlalchemy.text("SELECT current_database()")).scalar())


def test_without_a_url_the_embedded_server_is_started_and_stopped(enterable_dir: Path) -> None:
    settings = Settings(home=enterable_dir / "my home")
    with open_database(settings, application_name="omni doctor") as database:
        with database.connect() as conn:
            assert conn.info.dbname == "omni"
            assert conn.execute("SHOW application_name").fetchone() == ("omni doctor",)
            assert conn.execute("SHOW fsync").fetchone() == ("on",)
        url = dagster_url(settings, database)
        assert ask_through_sqlalchemy(url) == "dagster"
        assert dagster_url(settings, database) == url, "asking again changes nothing"
    with pytest.raises(TemporaryError, match="cannot be reached"):
        database.connect()


def test_with_a_url_that_server_is_used_and_nothing_is_started(
    tmp_path: Path, real_server: Callable[..., Database]
) -> None:
    url = real_server("someone").url
    settings = Settings(home=tmp_path / "home", database_url=url)
    with open_database(settings) as database, database.connect() as conn:
        assert conn.info.user == "someone"
    assert not settings.home.exists()


def test_dagster_gets_a_database_of_its_own_on_a_real_server(
    tmp_path: Path, real_server: Callable[..., Database]
) -> None:
    server = real_server("creator", rights="CREATEDB")
    server = replace(server, url=f"{server.url}?sslmode=prefer&options=-c%20lock_timeout%3D3s")
    settings = Settings(home=tmp_path, database_url=server.url)
    name = describe(server.url).rpartition("/")[2]
    url = dagster_url(settings, server)
    assert ask_through_sqlalchemy(url) == f"{name}_dagster"
    assert AWKWARD_PASSWORD not in url
    assert sqlalchemy.make_url(url).query["sslmode"] == "prefer"


def test_a_user_who_may_not_create_dagsters_database_is_told_both_ways_out(
    tmp_path: Path, real_server: Callable[..., Database]
) -> None:
    server = real_server("guest")
    settings = Settings(home=tmp_path, database_url=server.url)
    with pytest.raises(PermanentError, match=r"_dagster.*OMNI_DAGSTER_DATABASE_URL") as caught:
        dagster_url(settings, server)
    assert quote(AWKWARD_PASSWORD, safe="") not in str(caught.value)


def test_dagsters_own_url_is_only_given_the_driver(tmp_path: Path, database: Database) -> None:
    other = "postgresql://d:x%40y@[::1]:5433/other"
    settings = Settings(home=tmp_path, database_url=database.url, dagster_database_url=other)
    url = sqlalchemy.make_url(dagster_url(settings, database))
    arguments = url.get_dialect()().create_connect_args(url)[1]
    assert (url.drivername, url.database, url.username, url.password) == (
        "postgresql+psycopg2",
        "other",
        "d",
        "x@y",
    )
    assert (arguments["host"], arguments["port"]) == ("::1", "5433")


def test_a_url_without_a_database_is_refused_where_its_name_is_needed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://u@host")
    with pytest.raises(SettingsError, match="end it with one"):
        dagster_url(settings, Database(url="postgresql://u@host"))


def test_simultaneous_first_uses_create_the_databases_once(
    tmp_path: Path, real_server: Callable[..., Database]
) -> None:
    server = real_server("creator", rights="CREATEDB")
    settings = Settings(home=tmp_path, database_url=server.url)
    with ThreadPoolExecutor(4) as threads:
        urls = list(threads.map(dagster_url, [settings] * 4, [server] * 4))
    assert len(set(urls)) == 1
