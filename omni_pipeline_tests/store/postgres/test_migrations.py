"""The schema's history: applied once, whole, in order; never edited, never guessed."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg import Connection

from omni_pipeline.errors import SchemaError, TemporaryError
from omni_pipeline.settings import CHECKOUT
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.migrations import check_schema, migrate, pending, read_migrations

PAGES = "CREATE TABLE pages (id bigint, share text DEFAULT '100 %');"

# Many statements, a body with semicolons, a percent sign and a placeholder look-alike.
COUNTER = """
CREATE FUNCTION count_pages() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    -- 50 % of %s and $1 mean nothing here;
    RETURN (SELECT count(*) FROM pages);
END $$;
INSERT INTO pages VALUES (1), (2);
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_pages.sql").write_text(PAGES)
    (tmp_path / "0002_counter.sql").write_text(COUNTER)
    (tmp_path / "README.md").write_text("not a migration")
    return tmp_path


@pytest.fixture
def conn(empty_database: Database) -> Iterator[Connection]:
    with empty_database.connect() as connection:
        yield connection


def has_table(conn: Connection, name: str) -> bool:
    return conn.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone() == (True,)


def test_files_are_applied_in_order_and_once(conn: Connection, folder: Path) -> None:
    assert pending(conn, folder) == ["0001_pages", "0002_counter"]
    assert migrate(conn, folder) == ["0001_pages", "0002_counter"]
    assert conn.execute("SELECT count_pages()").fetchone() == (2,)
    assert pending(conn, folder) == []
    check_schema(conn, folder)
    assert migrate(conn, folder) == []
    assert conn.execute("SELECT count_pages()").fetchone() == (2,)


def test_this_projects_own_migrations_apply_and_fit(connection: Connection) -> None:
    """The fixture's database is a clone of one that ``migrate`` made."""
    check_schema(connection)
    names = [migration.name for migration in read_migrations()]
    rows = connection.execute("SELECT name FROM schema_migrations ORDER BY number").fetchall()
    assert [name for (name,) in rows] == names


def test_half_vectors_are_known_to_the_session_that_installed_them(
    conn: Connection, folder: Path
) -> None:
    (folder / "0003_vector.sql").write_text("CREATE EXTENSION vector;")
    migrate(conn, folder)
    row = conn.execute("SELECT '[1,2]'::halfvec").fetchone()
    assert row is not None
    assert row[0].to_list() == [1.0, 2.0]


def test_a_schema_behind_is_told_which_command_to_run(conn: Connection, folder: Path) -> None:
    with pytest.raises(SchemaError, match=r"lacks 0001_pages, 0002_counter: run `omni migrate`"):
        check_schema(conn, folder)
    assert not has_table(conn, "schema_migrations"), "looking writes nothing"


def test_a_schema_ahead_is_told_that_the_code_is_old(conn: Connection, folder: Path) -> None:
    migrate(conn, folder)
    (folder / "0002_counter.sql").unlink()
    for use in (check_schema, migrate):
        with pytest.raises(SchemaError, match=r"0002_counter.*update the code"):
            use(conn, folder)


def test_an_edited_file_is_named_and_refused(conn: Connection, folder: Path) -> None:
    migrate(conn, folder)
    (folder / "0001_pages.sql").write_text(PAGES.replace("100", "99"))
    (folder / "0003_new.sql").write_text("CREATE TABLE new ();")
    for use in (check_schema, migrate):
        with pytest.raises(SchemaError, match=r"0001_pages\.sql was edited"):
            use(conn, folder)
    assert not has_table(conn, "new")


def test_a_renamed_file_is_refused(conn: Connection, folder: Path) -> None:
    migrate(conn, folder)
    (folder / "0002_counter.sql").rename(folder / "0002_counts.sql")
    with pytest.raises(SchemaError, match=r"has 0002_counter where this code has 0002_counts\.sql"):
        check_schema(conn, folder)


def test_windows_line_ends_are_no_edit(conn: Connection, folder: Path) -> None:
    migrate(conn, folder)
    (folder / "0002_counter.sql").write_bytes(COUNTER.replace("\n", "\r\n").encode())
    check_schema(conn, folder)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("0004_late.sql", "has no migration 0003 but has 0004_late"),
        ("0002_other.sql", "two migrations with one number, 0002_counter and 0002_other"),
        ("0000_early.sql", "not named like a migration"),
        ("3_short.sql", "not named like a migration"),
        ("0003_Loud Name.sql", "not named like a migration"),
    ],
)
def test_numbering_that_does_not_add_up_is_refused(
    conn: Connection, folder: Path, name: str, complaint: str
) -> None:
    (folder / name).touch()
    with pytest.raises(SchemaError, match=complaint):
        migrate(conn, folder)
    assert not has_table(conn, "pages")


def test_a_folder_without_migrations_is_no_error(conn: Connection, tmp_path: Path) -> None:
    assert migrate(conn, tmp_path) == []
    check_schema(conn, tmp_path)


def test_racing_migrators_apply_each_file_once(empty_database: Database, folder: Path) -> None:
    """The slow first file outlasts the others' usual patience of 5 s, here shortened to 0.1 s."""
    (folder / "0001_pages.sql").write_text(f"SELECT pg_sleep(0.5); {PAGES}")

    def run(_: int) -> list[str]:
        with empty_database.connect() as conn:
            conn.execute("SET lock_timeout = '100ms'")
            return migrate(conn, folder)

    with ThreadPoolExecutor(3) as threads:
        applied = [name for names in threads.map(run, range(3)) for name in names]
    assert sorted(applied) == ["0001_pages", "0002_counter"]
    with empty_database.connect() as conn:
        assert conn.execute("SELECT count_pages()").fetchone() == (2,)


def test_a_migration_may_take_longer_than_a_statement_may(conn: Connection, folder: Path) -> None:
    (folder / "0003_slow.sql").write_text("SELECT pg_sleep(0.3);")
    conn.execute("SET statement_timeout = '100ms'")
    assert migrate(conn, folder)[-1] == "0003_slow"
    assert conn.execute("SHOW statement_timeout").fetchone() == ("100ms",)


def test_a_migration_does_not_wait_for_locks_longer_than_a_session_does(
    empty_database: Database, conn: Connection, folder: Path
) -> None:
    """F-B6: a waiting ALTER TABLE would queue every reader behind itself."""
    migrate(conn, folder)
    (folder / "0003_wider.sql").write_text("ALTER TABLE pages ADD COLUMN title text;")
    conn.execute("SET lock_timeout = '100ms'")
    with empty_database.connect() as reader, reader.transaction():
        reader.execute("SELECT FROM pages")
        with pytest.raises(TemporaryError, match=r"0003_wider failed and nothing") as caught:
            migrate(conn, folder)
    assert caught.value.kind == "transient.db_lock_timeout"
    assert migrate(conn, folder) == ["0003_wider"]


def test_a_failing_migration_is_named_with_its_line_and_leaves_nothing(
    conn: Connection, folder: Path
) -> None:
    (folder / "0003_wrong.sql").write_text("CREATE TABLE half ();\n\nSELECT nonsense;\n")
    with pytest.raises(
        SchemaError, match=r"0003_wrong failed.*\"nonsense\".* at line 3\."
    ) as caught:
        migrate(conn, folder)
    assert "\n" not in str(caught.value)
    assert not has_table(conn, "half")
    assert pending(conn, folder) == ["0003_wrong"]


MIGRATOR = """
import sys
from pathlib import Path
from omni_pipeline.store.postgres.database import Database
from omni_pipeline.store.postgres.migrations import migrate

with Database(url=sys.argv[1], application_name="to be killed").connect() as conn:
    migrate(conn, Path(sys.argv[2]))
"""


def test_a_killed_migration_leaves_nothing(
    empty_database: Database, conn: Connection, folder: Path
) -> None:
    """The embedded server notices by itself that the client of a running statement is gone."""
    (folder / "0003_long.sql").write_text("CREATE TABLE half (); SELECT pg_sleep(60);")
    command = [sys.executable, "-c", MIGRATOR, empty_database.url, str(folder)]
    migrator = subprocess.Popen(command, cwd=CHECKOUT)
    wait_until_sleepers(conn, 1)
    migrator.kill()
    migrator.wait()
    wait_until_sleepers(conn, 0)
    assert not has_table(conn, "half")
    assert pending(conn, folder) == ["0003_long"]
    (folder / "0003_long.sql").write_text("CREATE TABLE half ();")
    assert migrate(conn, folder) == ["0003_long"]


def wait_until_sleepers(conn: Connection, number: int) -> None:
    deadline = time.monotonic() + 20
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'to be killed' AND wait_event = 'PgSleep'
    """
    while conn.execute(query).fetchone() != (number,):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_lost_connection_in_a_migration_may_be_tried_again(
    empty_database: Database, conn: Connection, folder: Path
) -> None:
    (folder / "0003_suicide.sql").write_text("SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(TemporaryError, match="0003_suicide failed") as caught:
        migrate(conn, folder)
    assert caught.value.kind == "transient.db_connection"
    with empty_database.connect() as again:
        assert pending(again, folder) == ["0003_suicide"]
