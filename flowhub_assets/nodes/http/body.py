"""The body of an HTTP answer, within bounds: read piece by piece, decompressed piece by piece.

httpx decompresses what it has read in one go, and a few kilobytes of gzip can hold gigabytes.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

#: What a request says that it takes; every other encoding would need a decoder without bounds.
ACCEPT_ENCODING = "gzip, deflate"

_PIECE = 64 * 1024
#: Bytes.
_ZLIB_HEADER = 2


class BodyTooLarge(Exception):
    """A body of more bytes than it may have; ``most`` says how many that are."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the body has more than {most:,} bytes")
        self.most = most


class BodyUnreadable(Exception):
    """A body that is compressed in a way that is not offered, or is damaged; the text says how.

    ``cut`` is whether only its end is missing.
    """

    def __init__(self, what: str, cut: bool = False) -> None:
        super().__init__(what)
        self.cut = cut


async def body_chunks(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    """The decompressed body, piece by piece as it arrives, ``most`` bytes in all.

    Raises BodyTooLarge before the bytes beyond are read, BodyUnreadable, and httpx's errors of the connection.
    """
    decode = _decoder(response.headers.get("content-encoding", ""))
    _refuse_announced(response, most)
    size = 0
    async for raw in response.aiter_raw():
        for piece in decode(raw):
            size += len(piece)
            if size > most:
                raise BodyTooLarge(most)
            yield piece
    # A compressed body tells its own end.
    if isinstance(decode, _Inflate) and not decode.complete:
        raise BodyUnreadable("its compressed body ends in the middle", cut=True)


async def body_bytes(response: httpx.Response, most: int) -> bytes:
    """The whole of ``body_chunks``."""
    return b"".join([piece async for piece in body_chunks(response, most)])


async def body_start(response: httpx.Response, most: int = 2000) -> bytes:
    """The first bytes of a body that is only quoted; what cannot be read is left out."""
    import httpx

    read = b""
    try:
        async for piece in body_chunks(response, _PIECE):
            read += piece
            if len(read) >= most:
                break
    except (BodyTooLarge, BodyUnreadable, httpx.HTTPError):
        pass
    return read[:most]


def _refuse_announced(response: httpx.Response, most: int) -> None:
    if response.request.method == "HEAD" or "content-encoding" in response.headers:
        return
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise BodyTooLarge(most)


def _decoder(encoding: str) -> Callable[[bytes], Iterator[bytes]]:
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    names = [name for name in names if name != "identity"]
    if not names:
        return lambda raw: iter((raw,))
    if len(names) == 1 and names[0] in ("gzip", "x-gzip", "deflate"):
        return _Inflate(names[0])
    raise BodyUnreadable(f"its body is compressed with {', '.join(names)}")


class _Inflate:
    """Decompresses gzip (RFC 1952, several members too) and deflate (RFC 1950, or bare RFC 1951) in bounded pieces."""

    def __init__(self, name: str) -> None:
        self._gzip = name != "deflate"
        self._one = zlib.decompressobj(31) if self._gzip else None
        self._held = b""
        self.complete = True

    def __call__(self, raw: bytes) -> Iterator[bytes]:
        if self._one is None:
            raw = self._held = self._held + raw
            if len(raw) < _ZLIB_HEADER:
                self.complete = not raw
                return
            self._one = zlib.decompressobj(15 if _begins_with_zlib_header(raw) else -15)
        piece = b""
        # A full piece may leave more behind within zlib, even if all that came was taken in.
        while raw or len(piece) == _PIECE:
            if self._one.eof:
                if not self._gzip or not raw.strip(b"\0"):
                    return
                self._one = zlib.decompressobj(31)
            try:
                piece = self._one.decompress(raw, _PIECE)
            except zlib.error as error:
                raise BodyUnreadable(f"its compressed body is damaged: {error}") from None
            raw = self._one.unconsumed_tail or self._one.unused_data
            self.complete = self._one.eof
            if piece:
                yield piece


def _begins_with_zlib_header(data: bytes) -> bool:
    """RFC 1950, 2.2. Servers also send deflate without the header that the standard asks for."""
    return data[0] & 0x0F == 8 and int.from_bytes(data[:_ZLIB_HEADER], "big") % 31 == 0
