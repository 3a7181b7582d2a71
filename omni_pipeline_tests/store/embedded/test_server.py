"""The embedded server under real faults: races, kills, other people's files, hostile paths."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from omni_pipeline.errors import PermanentError, SettingsError
from omni_pipeline.settings import CHECKOUT
from omni_pipeline.store.embedded import account as server_account
from omni_pipeline.store.embedded.account import Account
from omni_pipeline.store.embedded.cluster import find_complaint
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline_tests.conftest import CARELESS, make_enterable_dir

only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root's own difficulties")

# A user of the server in its own process: takes it, says so, and keeps it until told to go.
USER = """
import sys
from pathlib import Path
from omni_pipeline.errors import OmniError
from omni_pipeline.store.embedded.server import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
try:
    server.acquire()
except OmniError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(server.cluster.postmaster_pid(), flush=True)
sys.stdin.readline()
server.release()
"""


def start_user(root: Path, *, import_first: Path = CHECKOUT) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(map(str, [import_first, CHECKOUT, *sys.path]))},
    )


def read_pid(user: subprocess.Popen[str]) -> int:
    """The postmaster's process id, once the user has the server."""
    assert user.stdout is not None
    line = user.stdout.readline()
    assert line, user.communicate()[1]
    return int(line)


def kill(user: subprocess.Popen[str]) -> None:
    user.kill()
    user.communicate()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def open_server(root: Path, **settings: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(root, settings={**CARELESS, **settings})


@pytest.fixture(scope="module")
def made_root() -> Iterator[Path]:
    """A root whose server was made and stopped; spaces, quotes and $ are all in its path."""
    with make_enterable_dir() as directory:
        root = directory / 'the pipeline\'s "$HOME" `é`'
        with open_server(root) as server, psycopg.connect(server.url("postgres")) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 1 AS value")
        yield root


@pytest.fixture
def root(made_root: Path) -> Iterator[Path]:
    yield made_root
    assert not open_server(made_root).is_running(), "the test left its server running"


def pid_of(server: EmbeddedPostgres) -> int:
    pid = server.cluster.postmaster_pid()
    assert pid is not None
    return pid


def read_kept(server: EmbeddedPostgres) -> object:
    with psycopg.connect(server.url("postgres")) as conn:
        return conn.execute("SELECT value FROM kept").fetchone()


def test_six_processes_racing_on_a_new_directory_get_one_server(enterable_dir: Path) -> None:
    users = [start_user(enterable_dir / "new") for _ in range(6)]
    pids = {read_pid(user) for user in users}
    assert len(pids) == 1
    assert [user.communicate("go\n")[1] for user in users] == [""] * 6
    assert not is_alive(pids.pop())


def test_the_last_release_stops_the_server_and_leaves_no_process(root: Path) -> None:
    server = open_server(root)
    server.acquire()
    server.acquire()
    pid = pid_of(server)
    server.release()
    assert server.is_running()
    server.release()
    assert not server.is_running()
    assert not is_alive(pid)


def test_a_release_too_many_changes_nothing(root: Path) -> None:
    server = open_server(root)
    server.release()
    with server:
        with server:
            pass
        assert read_kept(server) == (1,)


def test_the_server_stays_while_another_process_uses_it(root: Path) -> None:
    server = open_server(root).acquire()
    user = start_user(root)
    pid = read_pid(user)
    assert pid == pid_of(server)
    server.release()
    assert server.is_running()
    user.communicate("go\n")
    assert not is_alive(pid)


def test_a_second_server_object_in_the_same_process_counts_as_a_user(root: Path) -> None:
    first, second = open_server(root), open_server(root)
    with first:
        second.acquire()
    assert second.is_running()
    second.release()
    assert not second.is_running()


def test_a_killed_user_is_not_counted_and_its_server_is_adopted(root: Path) -> None:
    user = start_user(root)
    pid = read_pid(user)
    kill(user)
    assert is_alive(pid)
    with open_server(root) as server:
        assert pid_of(server) == pid
    assert not is_alive(pid)


def test_a_user_killed_while_it_starts_the_server_leaves_one_that_works(root: Path) -> None:
    user = start_user(root)
    wait_until((root / "data" / "postmaster.pid").exists)
    kill(user)
    with open_server(root) as server:
        assert read_kept(server) == (1,)


def test_a_user_killed_during_initdb_leaves_nothing_half_made(enterable_dir: Path) -> None:
    user = start_user(enterable_dir)
    wait_until(lambda: any(enterable_dir.glob("data.new-*/base/1/*")))
    kill(user)
    with open_server(enterable_dir) as server:
        assert server.is_running()
        assert not list(enterable_dir.glob("data.new-*"))


def test_the_next_acquire_recovers_from_a_killed_postmaster(root: Path) -> None:
    server = open_server(root).acquire()
    os.kill(pid_of(server), signal.SIGKILL)
    with open_server(root) as successor:
        assert read_kept(successor) == (1,)
    assert server.is_running(), "the first user still counts"
    server.release()


def test_a_holder_that_acquires_again_revives_its_own_killed_server(root: Path) -> None:
    with open_server(root) as server:
        os.kill(pid_of(server), signal.SIGKILL)
        with server:
            assert read_kept(server) == (1,)


def test_a_start_waits_for_the_orphans_of_a_killed_postmaster(root: Path) -> None:
    """A busy session notices its postmaster's death late; until then Postgres refuses to start."""
    with open_server(root) as server, closing(psycopg.connect(server.url("postgres"))) as conn:
        conn.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 4000000)")
        wait_until(lambda: is_computing(conn.info.backend_pid))
        os.kill(pid_of(server), signal.SIGKILL)
        with server:
            assert read_kept(server) == (1,)
            assert not is_alive(conn.info.backend_pid)


def is_computing(pid: int) -> bool:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) >= 5  # user time in hundredths of a second


def test_a_killed_postmaster_that_nobody_reaps_is_recovered(root: Path) -> None:
    """As in a container whose first process does not wait for strangers' children."""
    become_subreaper = 36  # PR_SET_CHILD_SUBREAPER, from linux/prctl.h
    ctypes.CDLL(None).prctl(become_subreaper, 1)
    try:
        server = open_server(root).acquire()
        pid = pid_of(server)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid))
        assert Path(f"/proc/{pid}").exists(), "the zombie that this test is about"
        with server:
            assert read_kept(server) == (1,)
        server.release()
    finally:
        ctypes.CDLL(None).prctl(become_subreaper, 0)
        os.waitpid(pid, 0)


def test_a_lock_file_that_names_a_stranger_does_not_block_the_start(root: Path) -> None:
    """After a reboot the recorded number may belong to any process of the same OS user."""
    owner = (root / "data").stat().st_uid
    as_owner = {"user": owner} if os.geteuid() == 0 else {}
    stranger = subprocess.Popen(["sleep", "60"], **as_owner)  # type: ignore[call-overload]
    (root / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{root / 'data'}\n")
    try:
        with open_server(root) as server:
            assert read_kept(server) == (1,)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("name", ["long" * 25, "comma, separated"])
def test_paths_that_a_socket_address_cannot_hold_work(root: Path, name: str) -> None:
    elsewhere = root.with_name(name)
    root.rename(elsewhere)
    try:
        with open_server(elsewhere) as server:
            assert read_kept(server) == (1,)
            sockets = server.cluster.sockets
        assert sockets.stat().st_mode & 0o777 == 0o700
        sockets.rmdir()
    finally:
        elsewhere.rename(root)


def test_a_socket_directory_that_others_can_enter_is_refused(root: Path) -> None:
    (root / "run").chmod(0o777)
    try:
        with pytest.raises(SettingsError, match="pose as the server"):
            open_server(root).acquire()
    finally:
        (root / "run").chmod(0o700)


def test_a_server_that_refuses_to_start_says_why_in_one_line(root: Path) -> None:
    with pytest.raises(PermanentError, match=r"FATAL: .*shared_buffers.*server\.log") as caught:
        open_server(root, shared_buffers="nonsense").acquire()
    assert "\n" not in str(caught.value)
    with open_server(root):
        pass  # the failed attempt holds nothing


def test_a_server_that_was_killed_while_starting_has_no_complaint() -> None:
    """Its last words are for our early pings, or are its predecessor's: it is started again."""
    killed = """
2026-01-01 00:00:00.000 UTC [77] LOG:  starting PostgreSQL 18.4
2026-01-01 00:00:00.001 UTC [79] FATAL:  the database system is starting up
2026-01-01 00:00:00.002 UTC [55] FATAL:  terminating connection due to unexpected postmaster exit
2026-01-01 00:00:00.003 UTC [56] ERROR:  division by zero
2026-01-01 00:00:00.003 UTC [56] STATEMENT:  SELECT 1
\t/ 0
"""
    assert find_complaint(killed) is None
    refusal = 'UTC [77] FATAL:  data directory "x" has wrong ownership'
    assert find_complaint(f"{killed}{refusal}\nHINT: chown") == refusal


def test_a_directory_of_another_major_version_is_refused(root: Path) -> None:
    version = root / "data" / "PG_VERSION"
    version.write_text("16\n")
    try:
        with pytest.raises(SettingsError, match="made by Postgres 16 and this is Postgres 18"):
            open_server(root).acquire()
    finally:
        version.write_text("18\n")


def test_everything_in_the_root_is_closed_to_other_users(root: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in root.iterdir()}
    assert modes == {
        "data": 0o700,
        "run": 0o700,
        "lock": 0o600,
        "users": 0o600,
        "server.log": 0o600,
    }


def test_the_server_does_not_inherit_its_starters_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-76: it outlives the starter, and keys have no business there."""
    for name in ("OPENAI_API_KEY", "PGDATA", "PGPORT", "PGHOST", "LC_ALL"):
        monkeypatch.setenv(name, "canary")
    with open_server(root) as server:
        assert b"canary" not in Path(f"/proc/{pid_of(server)}/environ").read_bytes()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(root: Path) -> None:
    with open_server(root) as server:
        assert os.getsid(pid_of(server)) != os.getsid(0)


def run_as_nobody(action: Callable[[], object]) -> str:
    """What ``action`` returns or raises in a process of the OS user ``nobody``.

    Forked rather than started afresh: nobody may not be able to reach this interpreter.
    """
    nobody = pwd.getpwnam("nobody")
    programs = server_account._installed_programs()
    account = Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
    if not server_account._reaches(account, Path("/"), programs):
        pytest.skip(f"nobody cannot reach {programs}")
    reading, writing = os.pipe()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        child = os.fork()  # newer Pythons warn of forks beside threads; none is needed here
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            answer = str(action())
        except BaseException as error:  # noqa: BLE001 - the parent is told all of it
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        answer = file.read()
    os.waitpid(child, 0)
    return answer


@only_as_root
def test_an_ordinary_user_runs_a_server_of_their_own(enterable_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = enterable_dir / "home"
    home.mkdir(0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)

    def use_server() -> str:
        with EmbeddedPostgres(home / "postgres") as server:
            owner = Path(f"/proc/{pid_of(server)}").stat().st_uid
            with psycopg.connect(server.url("postgres")) as conn:
                fsync = conn.execute("SHOW fsync").fetchone()
            pid = pid_of(server)
        return f"{owner} {fsync} {is_alive(pid)}"

    assert run_as_nobody(use_server) == f"{nobody.pw_uid} ('on',) False"


@only_as_root
def test_an_ordinary_user_is_told_that_the_server_is_somebody_elses(root: Path) -> None:
    complaint = run_as_nobody(open_server(root).acquire)
    assert complaint.startswith("SettingsError: ")
    assert "belongs to another OS user" in complaint
    assert "OMNI_HOME" in complaint


@only_as_root
def test_root_keeps_the_owner_of_a_server_that_an_ordinary_user_made(root: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    owner = (root / "data").stat()
    subprocess.run(["chown", "-R", "nobody", root / "data", root / "run"], check=True)
    try:
        with open_server(root) as server:
            assert Path(f"/proc/{pid_of(server)}").stat().st_uid == nobody.pw_uid
    finally:
        name = pwd.getpwuid(owner.st_uid).pw_name
        subprocess.run(["chown", "-R", name, root / "data", root / "run"], check=True)


@only_as_root
def test_an_os_user_that_does_not_exist_is_named(enterable_dir: Path) -> None:
    with pytest.raises(SettingsError, match="OMNI_PG_OS_USER='nosuchuser'"):
        EmbeddedPostgres(enterable_dir, os_user="nosuchuser").acquire()
    with pytest.raises(SettingsError, match="OMNI_PG_OS_USER='root'"):
        EmbeddedPostgres(enterable_dir, os_user="root").acquire()


@pytest.fixture
def state_of_root() -> Iterator[Path]:
    """Where root keeps what the server's user could not reach; as it was, after the test."""
    state = server_account.STATE_OF_ROOT
    found = set(state.iterdir()) if state.exists() else None
    yield state
    for made in set(state.iterdir()) - (found or set()):
        shutil.rmtree(made)
    if found is None:
        state.rmdir()


@only_as_root
def test_what_the_servers_user_cannot_reach_is_kept_where_it_can(
    enterable_dir: Path, state_of_root: Path
) -> None:
    """Root's own directories stay closed: data and programs move, and a note says where."""
    closed = enterable_dir / "closed"
    closed.mkdir(0o700)
    package = server_account._installed_programs().parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        (closed / part.name).symlink_to(part)

    user = start_user(closed / "postgres", import_first=closed)
    pid = read_pid(user)
    moved = Path((closed / "postgres" / "moved.txt").read_text().split()[-1])
    assert moved.parent == state_of_root
    assert Path(f"/proc/{pid}/exe").readlink().is_relative_to(state_of_root)
    assert (moved.stat().st_mode & 0o777, moved.stat().st_uid) == (0o755, 0)
    assert (moved / "data").stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_mode & 0o777 == 0o700
    assert user.communicate("go\n")[1] == ""
    assert not is_alive(pid)

    next_user = start_user(closed / "postgres", import_first=closed)
    assert Path(f"/proc/{read_pid(next_user)}/cwd").readlink() == moved / "data"
    assert next_user.communicate("go\n")[1] == ""
