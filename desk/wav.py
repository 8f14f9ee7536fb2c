"""Serves a recording by HTTP ranges, also one that is still growing, and a sealed one as the WAV it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from starlette.responses import Response, StreamingResponse

from records.playback import Playback

CHUNK_BYTES = 64 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def wav_response(sound: Playback, range_header: str | None, *, head: bool = False) -> Response:
    """The recording as it was opened, or the asked part of it; 416 when there is no such part.

    What is appended meanwhile is left for the next request: the length was announced already.
    Raises RecordsError when the part cannot be read at its beginning; later the transfer breaks off.
    """
    size = sound.size
    headers = {"Accept-Ranges": "bytes", "Content-Disposition": f'inline; filename="{sound.name}"'}
    if sound.complete is not None:
        headers["X-Recording-Complete"] = "yes" if sound.complete else "no"
    wanted = _RANGE.fullmatch(range_header.strip()) if range_header else None
    status, start, end = 200, 0, size
    if wanted and wanted.group(0) != "bytes=-":  # other units and several ranges may be answered in full
        start, end = _part(wanted.group(1), wanted.group(2), size)
        if start >= end:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if head:
        return Response(status_code=status, headers=headers, media_type="audio/wav")
    pieces = _read(sound, start, end)
    first = next(pieces, b"")  # so that one that cannot be read is an answer and not a broken transfer
    return StreamingResponse(chain([first], pieces), status, headers, media_type="audio/wav")


def _part(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:  # the last so many bytes
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


def _read(sound: Playback, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = sound.read(start, min(CHUNK_BYTES, end - start))
        if not piece:
            return
        start += len(piece)
        yield piece
