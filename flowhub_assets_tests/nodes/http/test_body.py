from __future__ import annotations

import asyncio
import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.http.body import BodyTooLarge, BodyUnreadable, body_bytes, body_chunks, body_start

LARGE = 1 << 40


def response(content: bytes, encoding: str = "", step: int = 1000, cut: bool = False) -> httpx.Response:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(content), step):
            yield content[start : start + step]
        if cut:
            raise httpx.ReadError("gone")

    headers = {"Content-Encoding": encoding} if encoding else {}
    return httpx.Response(200, headers=headers, content=stream(), request=httpx.Request("GET", "http://x/"))


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": lambda data: zlib.compress(data),
    "Deflate": raw_deflate,
}


@given(st.binary(max_size=3000), st.sampled_from(sorted(PACKERS)), st.integers(1, 50))
def test_a_body_is_what_was_packed(data: bytes, encoding: str, step: int) -> None:
    packed = PACKERS[encoding](data)
    assert asyncio.run(body_bytes(response(packed, encoding, step), LARGE)) == data


@pytest.mark.parametrize("encoding", sorted(PACKERS))
@pytest.mark.parametrize("more", [-1, 0, 1, 257, 300])
def test_the_end_of_a_piece_is_no_end(encoding: str, more: int) -> None:
    data = bytes(3 * 65536 + more)
    assert asyncio.run(body_bytes(response(PACKERS[encoding](data), encoding, 1 << 20), LARGE)) == data


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=4), st.integers(1, 20))
def test_gzip_of_several_members(parts: list[bytes], step: int) -> None:
    packed = b"".join(gzip.compress(part) for part in parts)
    assert asyncio.run(body_bytes(response(packed, "gzip", step), LARGE)) == b"".join(parts)


@given(st.binary(min_size=1, max_size=500), st.integers(0, 499))
def test_the_bound_is_exact(data: bytes, most: int) -> None:
    for encoding in ("", "gzip"):
        packed = PACKERS[encoding](data)
        if len(data) <= most:
            assert asyncio.run(body_bytes(response(packed, encoding), most)) == data
        else:
            with pytest.raises(BodyTooLarge):
                asyncio.run(body_bytes(response(packed, encoding), most))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_takes_no_memory(encoding: str) -> None:
    bomb = PACKERS[encoding](bytes(200_000_000))
    assert len(bomb) < 300_000

    async def sizes() -> list[int]:
        return [len(piece) async for piece in body_chunks(response(bomb, encoding, len(bomb)), 10_000_000)]

    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match="more than 10,000,000 bytes"):
            asyncio.run(sizes())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_damage_is_told(data: bytes, encoding: str) -> None:
    with contextlib.suppress(BodyUnreadable):
        read = asyncio.run(body_bytes(response(data, encoding), LARGE))
        assert PACKERS[encoding](read)


@given(st.binary(max_size=500), st.data())
def test_half_a_compressed_body_is_none(data: bytes, draw: st.DataObject) -> None:
    packed = gzip.compress(data)
    end = draw.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(BodyUnreadable, match="ends in the middle"):
        asyncio.run(body_bytes(response(packed[:end], "gzip"), LARGE))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(BodyUnreadable, match=f"compressed with {encoding}"):
        asyncio.run(body_bytes(response(b"x", encoding), LARGE))


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("encoding", ["", "gzip", "br"])
def test_the_start_of_a_body_is_what_can_be_had(encoding: str, cut: bool) -> None:
    content = PACKERS.get(encoding, bytes)(b"x" * 5000)
    start = asyncio.run(body_start(response(content, encoding, cut=cut), 100))
    assert start == (b"" if encoding == "br" else b"x" * 100)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_piece_does_not_wait_for_the_next_one(encoding: str) -> None:
    seen = asyncio.Event()
    packer = zlib.compressobj(wbits=31)

    async def stream() -> AsyncIterator[bytes]:
        yield b"one" if not encoding else packer.compress(b"one") + packer.flush(zlib.Z_SYNC_FLUSH)
        await asyncio.wait_for(seen.wait(), 10)
        yield b"two" if not encoding else packer.compress(b"two") + packer.flush()

    async def read() -> list[bytes]:
        headers = {"Content-Encoding": encoding} if encoding else {}
        answer = httpx.Response(200, headers=headers, content=stream(), request=httpx.Request("GET", "http://x/"))
        pieces = []
        async for piece in body_chunks(answer, LARGE):
            pieces.append(piece)
            seen.set()
        return pieces

    assert b"".join(asyncio.run(read())) == b"onetwo"
