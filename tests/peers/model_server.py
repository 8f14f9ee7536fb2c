"""A publisher of models on loopback that misbehaves as told."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass
class Script:
    """What to serve and what to do wrong."""

    body: bytes
    ranges: bool = True
    status: int = 200  # for every reply, if not 200
    fail_first: int = 0  # this many replies are 503
    cut_after: list[int] = field(default_factory=list)  # the nth reply breaks off after so many bytes
    wrong_part: bool = False  # answer a range with another range
    asked: list[str] = field(default_factory=list)  # the Range header of each request, "" for none


class ModelServer:
    """Serves `script` at `url` within a `with` block."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/model.zip"

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            script.asked.append(wanted)
            status = 503 if len(script.asked) <= script.fail_first else script.status
            if status != 200:
                self.send_error(status)
                return
            begin = self._begin(wanted)
            if begin is None:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(script.body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            part = script.body[begin:]
            self.send_response(206 if begin else 200)
            if begin:
                shown = 0 if script.wrong_part else begin
                self.send_header("Content-Range", f"bytes {shown}-{len(script.body) - 1}/{len(script.body)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            if script.cut_after:
                part = part[: script.cut_after.pop(0)]
            self.wfile.write(part)

        def _begin(self, wanted: str) -> int | None:
            """Where to begin, None where the range asked for is beyond the end."""
            found = re.fullmatch(r"bytes=(\d+)-", wanted)
            if not (script.ranges and found):
                return 0
            begin = int(found.group(1))
            return begin if begin < len(script.body) else None

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler
