"""Serves a recording by HTTP ranges, also one that is still growing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from starlette.responses import Response, StreamingResponse

HEADER_BYTES = 44
CHUNK_BYTES = 64 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def wav_response(path: Path, range_header: str | None, *, head: bool = False) -> Response:
    """The file as it is now, or the asked part of it; 416 when there is no such part.

    What is appended meanwhile is left for the next request: the length was announced already.
    Raises OSError when there is no such file.
    """
    # The header before the size, and the same one again below: it then promises no more than is sent.
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    headers = {"Accept-Ranges": "bytes", "Content-Disposition": f'inline; filename="{path.name}"'}
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
    return StreamingResponse(_read(path, header, start, end), status, headers, media_type="audio/wav")


def _part(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:  # the last so many bytes
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


def _read(path: Path, header: bytes, start: int, end: int) -> Iterator[bytes]:
    if start < len(header):
        yield header[start:end]
        start = min(len(header), end)
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            chunk = file.read(min(CHUNK_BYTES, end - start))
            if not chunk:
                return
            start += len(chunk)
            yield chunk
