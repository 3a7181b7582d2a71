"""Where the unix sockets of this project's own processes are."""

import hashlib
import os
import tempfile
from pathlib import Path
from stat import S_IMODE, S_ISDIR

from omni_pipeline.errors import SettingsError

# sun_path holds 107 bytes; a checkout may lie deeper than that.
LONGEST_SOCKET_PATH = 100

RUN_SERVER = "run-server.sock"

PRIVATE = 0o700


def socket_path(folder: Path, name: str) -> Path:
    """A place for a unix socket that only this user reaches and that is short enough.

    Raises:
        SettingsError: Somebody else has made that place in the shared folder for temporary files.
    """
    path = folder / name
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"omni-{os.getuid()}-{digest}"
    short.mkdir(mode=PRIVATE, exist_ok=True)
    status = short.lstat()
    is_private = S_ISDIR(status.st_mode) and S_IMODE(status.st_mode) == PRIVATE
    if not is_private or status.st_uid != os.getuid():
        raise SettingsError(
            f"{short} is not a folder that only this user (uid {os.getuid()}, mode 0700) can "
            "enter, so another user could pose as our server: remove it."
        )
    return short / name
