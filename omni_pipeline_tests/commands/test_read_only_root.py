"""A hardened container: nothing can be written but a small file system in memory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from omni_pipeline.sample_site.site_server import SampleServer
from omni_pipeline.store.embedded.server import EmbeddedPostgres
from omni_pipeline.store.postgres.database import Database
from omni_pipeline_tests.commands.conftest import ROOT, CommandLine

# Needs the right to mount, as in CI's containers, and gives up every right before our code runs.
SCRIPT = """
mount --make-rprivate /
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$0"
mount -o remount,bind,ro /
cd "$0"
if touch {root}/written 2>/dev/null; then echo "the root can be written" >&2; exit 99; fi
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""
HARDENED = ["unshare", "--mount", "sh", "-ec", SCRIPT.format(root=ROOT)]
REFRESH = [sys.executable, "-m", "omni_pipeline.cli", "refresh", "--max-pages", "2"]
MAY_MOUNT = (
    os.geteuid() == 0
    and shutil.which("unshare") is not None
    and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0
)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not MAY_MOUNT, reason="mounting takes root")
def test_a_refresh_needs_no_rights_and_writes_to_its_home_alone(
    omni: CommandLine,
    site: SampleServer,
    database: Database,
    postgres: EmbeddedPostgres,
    enterable_dir: Path,
) -> None:
    """F-G12: a read-only root, 64 MB for temporary files, no capability."""
    environment = {
        **omni.environment,
        # Over TCP: without rights, not even root may enter the server's own folder.
        "OMNI_DATABASE_URL": postgres.tcp_url(urlsplit(database.url).path[1:]),
        "HOME": "/nonexistent",
        "OMNI_HOME": str(enterable_dir / "home"),
        "TMPDIR": str(enterable_dir),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [*HARDENED, str(enterable_dir), *REFRESH, f"{site.url}/"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(enterable_dir.iterdir()) == [], "its file system ended with it"
