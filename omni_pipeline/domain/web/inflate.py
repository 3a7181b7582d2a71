"""Inflating one layer of gzip or deflate without ever holding more than was asked for.

A 2 MB answer can inflate to 2 GiB, and 3.4 kB in two layers to more than any machine has (F-D27,
S-45). Output leaves here in small pieces, and stops with an error at the cap.
"""

import zlib
from collections.abc import Iterator

GZIP_MAGIC = b"\x1f\x8b"
PIECE_BYTES = 64 * 1024

_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15


class InflateError(Exception):
    """The data is not what its coding says, or ended before it was complete."""

    def __init__(self, message: str, *, ended_early: bool = False) -> None:
        super().__init__(message)
        self.ended_early = ended_early


class TooMuchError(Exception):
    """The output passed the cap."""


class Inflater:
    """Turns the bytes of one ``Content-Encoding`` into the bytes they stand for.

    Args:
        coding: ``gzip``, ``deflate`` (with or without zlib's header: servers send both), or
            ``identity``.
        most_bytes: The cap on all output together.
    """

    def __init__(self, coding: str, *, max_bytes: int) -> None:
        self._is_gzip = coding == "gzip"
        self._stream = zlib.decompressobj(_GZIP) if self._is_gzip else None
        self._waits_for_header = coding == "deflate"
        self._header = b""
        self._left = max_bytes
        self._is_between_members = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` adds to the output, in pieces of at most 64 KiB.

        Raises:
            InflateError: The data is damaged.
            TooMuchError: The cap is passed; nothing beyond it was inflated.
        """
        if self._waits_for_header:
            data = self._read_header(data)
        if self._stream is None:
            yield from self._counted(data)
            return
        while data:
            piece, data = self._inflate(self._stream, data)
            yield from self._counted(piece)

    def finish(self) -> Iterator[bytes]:
        """Yield what was held back.

        Raises:
            InflateError: The data ended too early.
        """
        if self._stream is None:
            return
        yield from self._counted(self._stream.flush())
        if not self._stream.eof and not self._is_between_members:
            raise InflateError("the compressed data ends too early", ended_early=True)

    def _read_header(self, data: bytes) -> bytes:
        self._header += data
        if len(self._header) < 2:  # noqa: PLR2004 - zlib's header is two bytes (RFC 1950)
            return b""
        first, second = self._header[:2]
        has_header = first & 0x0F == zlib.DEFLATED and (first << 8 | second) % 31 == 0
        self._stream = zlib.decompressobj(_ZLIB if has_header else _RAW_DEFLATE)
        self._waits_for_header = False
        return self._header

    def _inflate(self, stream: "zlib._Decompress", data: bytes) -> tuple[bytes, bytes]:
        try:
            piece = stream.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            if self._is_between_members:
                return b"", b""  # padding or rubbish after a complete gzip member: as browsers do
            raise InflateError("the compressed data is damaged") from error
        self._is_between_members = self._is_between_members and not piece
        if not stream.eof:
            return piece, stream.unconsumed_tail
        if not self._is_gzip:
            return piece, b""
        rest = stream.unused_data
        self._stream = zlib.decompressobj(_GZIP)
        self._is_between_members = True
        return piece, rest

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        allowed = piece[: self._left]
        if allowed:
            yield allowed
        self._left -= len(allowed)
        if len(allowed) < len(piece):
            raise TooMuchError
