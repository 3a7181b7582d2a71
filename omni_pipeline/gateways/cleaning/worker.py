"""Cleans pages in a process of its own, which the kernel ends when a page takes too much.

    python -m omni_pipeline.gateways.cleaning.worker CPU_SECONDS MEMORY_BYTES

Reads pages from standard input and answers on standard output, each as a length of four bytes and
JSON: what a parser that was broken into can send back is data. When whoever started it is gone, so
is its input, and it ends; also in the middle of a page, whose time is limited.
"""

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import IO, Any

from omni_pipeline.domain.text.cleaning import CleanedPage, Unreadable, clean
from omni_pipeline.proc import address_space_bytes

_LENGTH = struct.Struct(">I")

# On a machine that is busy with other things, a page may wait longer than it works.
_MAX_SECONDS = 120.0

EXIT_OUT_OF_MEMORY = 3

# Long enough for every table to be loaded: none of them is on a page's budget.
_FIRST_PAGE = "<p>One plain sentence of a page that nobody has asked for yet.</p>" * 100


def main() -> None:
    """Answer until the input ends."""
    cpu_seconds, memory_bytes = float(sys.argv[1]), int(sys.argv[2])
    pages, answers = sys.stdin.buffer, sys.stdout.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    for ending in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(ending, signal.SIG_DFL)  # by the kernel: a parser does not look at flags
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    clean(_FIRST_PAGE, url="https://site.example/")
    _limit_memory(memory_bytes)
    write_frame(answers, {"ready": True})
    try:
        while (page := read_frame(pages)) is not None:
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            signal.setitimer(signal.ITIMER_REAL, _MAX_SECONDS)
            answer = encode(clean(page["html"], url=page["url"]))
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            write_frame(answers, answer)
    except MemoryError:
        os._exit(EXIT_OUT_OF_MEMORY)


def _limit_memory(more_bytes: int) -> None:
    """Allow this process so much more address space than it has now."""
    limit = address_space_bytes() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_frame(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message; None when the stream has ended, also in the middle of one."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(head)[0]
    body = stream.read(length)
    if len(body) < length:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


def write_frame(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Send a message.

    Raises:
        BrokenPipeError: Nobody reads.
    """
    body = json.dumps(message).encode()
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def encode(answer: CleanedPage | Unreadable) -> dict[str, Any]:
    """What ``clean`` said, as JSON has it."""
    if isinstance(answer, Unreadable):
        return {"unreadable": asdict(answer)}
    page = asdict(answer)
    page["content_hash"] = answer.content_hash.hex()
    for name in ("published_on", "modified_on"):
        page[name] = page[name] and page[name].isoformat()
    return {"page": page}


def decode(message: Mapping[str, Any]) -> CleanedPage | Unreadable:
    """What ``clean`` said."""
    if "unreadable" in message:
        return Unreadable(**message["unreadable"])
    page = dict(message["page"])
    page["content_hash"] = bytes.fromhex(page["content_hash"])
    page["breadcrumbs"] = tuple(page["breadcrumbs"])
    for name in ("published_on", "modified_on"):
        page[name] = page[name] and date.fromisoformat(page[name])
    return CleanedPage(**page)


if __name__ == "__main__":
    main()
