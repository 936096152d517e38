"""Server-sent events, as far as their data goes (HTML Standard, 9.2.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator

#: Bytes; a longer line would be copied with every chunk that it grows by.
LONGEST_LINE = 4 * 1024**2


class LineTooLong(Exception):
    """A line of more than LONGEST_LINE bytes."""

    def __init__(self) -> None:
        super().__init__(f"an event has a line of more than {LONGEST_LINE:,} bytes")


async def event_data(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each event, wherever the chunks are cut; an event that the stream's end cuts off is left out.

    Raises LineTooLong.
    """
    lines: list[str] = []
    async for line in _lines(chunks):
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                lines.append(value.removeprefix(" "))
        elif lines:
            yield "\n".join(lines)
            lines = []


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines that end with LF, CRLF or CR; what follows the last end is left out."""
    rest = b""
    after_cr = False
    async for chunk in chunks:
        if not chunk:
            continue
        if after_cr:
            chunk = chunk.removeprefix(b"\n")
        after_cr = (rest + chunk).endswith(b"\r")
        *whole, rest = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise LineTooLong
        for line in whole:
            yield line.decode("utf-8", "replace")
