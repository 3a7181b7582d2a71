"""One layer of compression, with a cap that holds (F-D27, S-45)."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_pipeline.domain.web.inflate import PIECE_BYTES, InflateError, Inflater, TooMuchError

MIB = 1024 * 1024


def _inflate(data: bytes, coding: str, *, step: int = 7, max_bytes: int = MIB) -> bytes:
    inflater = Inflater(coding, max_bytes=max_bytes)
    pieces = [
        piece
        for start in range(0, len(data), step)
        for piece in inflater.feed(data[start : start + step])
    ]
    return b"".join([*pieces, *inflater.finish()])


def _raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@given(st.binary(max_size=3000), st.integers(1, 500))
def test_whatever_was_compressed_comes_back_however_it_is_cut(data: bytes, step: int) -> None:
    assert _inflate(data, "identity", step=step) == data
    assert _inflate(gzip.compress(data), "gzip", step=step) == data
    assert _inflate(zlib.compress(data), "deflate", step=step) == data
    assert _inflate(_raw_deflate(data), "deflate", step=step) == data


def test_gzip_of_several_members_is_read_to_the_end() -> None:
    assert _inflate(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == b"one two"


@pytest.mark.parametrize("rubbish", [b"\0\0\0", b"<!-- cached -->", b"\x1f"])
def test_rubbish_after_complete_gzip_is_ignored(rubbish: bytes) -> None:
    assert _inflate(gzip.compress(b"page") + rubbish, "gzip") == b"page"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_data_that_ends_early_is_told_from_damaged_data(coding: str) -> None:
    whole = gzip.compress(b"x" * 5000) if coding == "gzip" else zlib.compress(b"x" * 5000)

    with pytest.raises(InflateError) as cut:
        _inflate(whole[:-6], coding)
    with pytest.raises(InflateError) as damaged:
        _inflate(whole[:8] + b"\xff" * 40, coding)

    assert cut.value.ended_early
    assert not damaged.value.ended_early


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_the_cap_is_exact_and_what_lies_below_it_is_kept(coding: str) -> None:
    data = gzip.compress(bytes(1000)) if coding == "gzip" else bytes(1000)
    pieces = Inflater(coding, max_bytes=999).feed(data)

    assert next(pieces) == bytes(999)
    with pytest.raises(TooMuchError):
        next(pieces)
    assert _inflate(data, coding, max_bytes=1000) == bytes(1000)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_defused_in_less_than_a_megabyte(coding: str) -> None:
    """S-45."""
    squeeze = gzip.compress if coding == "gzip" else zlib.compress
    bomb = squeeze(bytes(64 * MIB))
    inflater = Inflater(coding, max_bytes=10 * MIB)

    tracemalloc.start()
    try:
        with pytest.raises(TooMuchError):
            assert all(len(piece) <= PIECE_BYTES for piece in inflater.feed(bomb))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < MIB
