"""One recognition server behind a WebSocket: how it has fared, and connections to it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import anyio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.protocol import State
from websockets.uri import parse_uri

from asr import EngineFailed, ModelError

BACK_OFF_S = 1.0  # a server that failed is asked last for this long, doubled with each further failure
BACK_OFF_MAX_S = 60.0
TIMEOUTS = (TimeoutError, asyncio.TimeoutError)  # one and the same from Python 3.11 on
NETWORK_ERRORS = (OSError, WebSocketException, *TIMEOUTS)
_HEALTH_TIMEOUT_S = 0.5
_log = logging.getLogger(__name__)


class Server:
    """One server and how it has fared."""

    def __init__(self, url: str, subject: str) -> None:
        """Raises ModelError when `url` is not a WebSocket's."""
        try:
            parsed = parse_uri(url)
        except (InvalidURI, ValueError) as error:
            raise ModelError(
                f"a {subject} is reached by ws://HOST:PORT or wss://HOST:PORT, not {url!r}"
            ) from error
        self.url = url
        self.secure = parsed.secure
        self.label = f"{subject} {parsed.host}:{parsed.port}"  # without the path, which may hold a secret
        self.keeps_connections = True  # until it shows otherwise
        self.utterances = 0  # at this moment
        self.last_asked = 0
        self.idle: list[Link] = []
        self._failures = 0
        self._left_alone_until = 0.0

    def rank(self, now: float) -> tuple[float, int, int]:
        """The lowest is asked first: not failed of late, least busy, longest not asked."""
        failed_until = self._left_alone_until if now < self._left_alone_until else 0.0
        return failed_until, self.utterances, self.last_asked

    def failed(self, error: EngineFailed) -> None:
        """Ask it last for a while; failures of several utterances within that while count as one."""
        now = anyio.current_time()
        if now < self._left_alone_until:
            return
        pause_s = min(BACK_OFF_MAX_S, BACK_OFF_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._left_alone_until = now + pause_s
        _log.warning("%s; left alone for %g s", error, pause_s)

    def worked(self) -> None:
        """Forget that it ever failed."""
        if self._failures:
            _log.info("%s works again", self.label)
        self._failures, self._left_alone_until = 0, 0.0


class Link:
    """A connection to a server; it carries one utterance at a time."""

    def __init__(self, server: Server, connection: ClientConnection) -> None:
        self.server = server
        self.connection = connection
        self.utterances = 0  # it has carried to their end
        self.audio_s = 0.0  # of all these
        response = connection.response
        self.software = response.headers.get("Server", "") if response else ""

    @property
    def is_lost(self) -> bool:
        return self.connection.state is not State.OPEN

    def failure(self, what: str) -> EngineFailed:
        return EngineFailed(f"{self.server.label}: {what}", retryable=True)

    async def is_healthy(self) -> bool:
        """Whether it answers, and has nothing to say that nobody asked for."""
        try:
            with anyio.fail_after(_HEALTH_TIMEOUT_S):
                await (await self.connection.ping())
            with anyio.move_on_after(0) as nothing_came:
                await self.connection.recv()
        except NETWORK_ERRORS:
            return False
        return nothing_came.cancelled_caught

    async def close(self) -> None:
        try:
            with anyio.CancelScope(shield=True):
                await self.connection.close()
        finally:
            self.connection.transport.abort()  # in case the closing itself was interrupted


def parse_reply(link: Link, reply: str | bytes) -> dict[str, Any]:
    """A reply as a JSON object. Raises EngineFailed, without the reply: it may hold a caller's words."""
    try:
        message = json.loads(reply) if isinstance(reply, str) else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise link.failure("its reply is not a JSON object; is it another kind of server?")
    return message
