"""Several recognition servers: which one is asked, kept connections, and starting again at another one.

A protocol is an `Exchange`: what to send for one utterance and what the replies come to, without any I/O.
"""

from __future__ import annotations

import logging
import math
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Protocol

import anyio
import anyio.lowlevel
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from asr import EngineFailed, ModelError, Transcript
from asr.kept_audio import KeptAudio, Partials, Tell, recognise_apart
from asr.server import NETWORK_ERRORS, TIMEOUTS, Link, Server

UNRATED_CONFIDENCE = 0.75  # for words that come without one: clear enough to act on, not certain
_CLOSE_TIMEOUT_S = 0.3
_KEEPALIVE_S = 20.0  # no less: a ping waits behind all the audio that a busy server has still to take
_log = logging.getLogger(__name__)
_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.INFO)  # at DEBUG the package would write callers' words into the log


class Exchange(Protocol):
    """One utterance in a server's protocol."""

    done: bool  # the server has said that it has told everything
    may_be_done: bool  # it seems to have told everything, and is of a kind that does not say so
    asks_to_keep: bool  # the end it was told leaves the connection open, which not every server understands

    def begin(self) -> Sequence[str]:
        """What to send before the audio."""
        ...

    def audio(self, pcm: bytes) -> Sequence[bytes]:
        """What to send for the next piece of audio (mono s16le, of any length)."""
        ...

    def end(self) -> Sequence[str | bytes]:
        """What to send after the audio."""
        ...

    def take(self, reply: str | bytes) -> None:
        """Understand a reply. Raises EngineFailed when it is none of the protocol."""
        ...

    def text(self) -> str:
        """What was heard so far."""
        ...

    def patience_s(self) -> float:
        """How long to wait for the next reply; infinite when none is due."""
        ...

    def final(self) -> Transcript:
        """The result, also where patience ran out after the end. Raises EngineFailed when there is none."""
        ...


class Fleet:
    """The servers of one recogniser, and their connections."""

    def __init__(
        self,
        urls: Sequence[str],
        new_exchange: Callable[[Link], Exchange],
        *,
        subject: str,
        reuse: bool,
        verify_tls: bool,
        connect_timeout_s: float,
        send_timeout_s: float,
        subprotocol: str = "",
    ) -> None:
        """`subject` names a server in messages. Raises ModelError for a wrong or missing URL."""
        if not urls:
            raise ModelError(f"no {subject} is set: write ws://HOST:PORT or wss://HOST:PORT")
        self.reuse = reuse
        self._servers = [Server(url, subject) for url in urls]
        self._new_exchange = new_exchange
        self._connect_timeout_s = connect_timeout_s
        self._send_timeout_s = send_timeout_s
        self._subprotocols = [Subprotocol(subprotocol)] if subprotocol else None
        self._tls = _tls(verify_tls) if any(server.secure for server in self._servers) else None
        self._links: set[Link] = set()
        self._asked = 0
        self._closed = False

    def transcribe(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[Transcript, None]:
        """Yield partials while `audio` runs and one final when it ends; raises EngineFailed.

        A server that fails in mid-utterance is followed by the next one, from the start of the utterance.
        """
        return recognise_apart(audio, self._recognise)

    async def aclose(self) -> None:
        """Close all connections; transcriptions under way end with EngineFailed."""
        self._closed = True
        async with anyio.create_task_group() as group:
            for link in list(self._links):
                group.start_soon(self._close, link)

    async def _recognise(self, kept: KeptAudio, tell: Tell) -> None:
        self._check_open()
        if not await kept.has_begun():
            tell(Transcript("", final=True))
            return
        partials = Partials(tell)
        now = anyio.current_time()
        servers = sorted(self._servers, key=lambda server: server.rank(now))
        for server in servers:
            self._asked += 1
            server.last_asked = self._asked
            server.utterances += 1
            try:
                await self._ask(server, kept, partials, tell)
                return
            except EngineFailed as error:
                self._check_open()
                if kept.error is not None:
                    raise
                server.failed(error)
                if server is servers[-1]:
                    raise
                partials.begin_again()
            finally:
                server.utterances -= 1

    async def _ask(self, server: Server, kept: KeptAudio, partials: Partials, tell: Tell) -> None:
        """One server; again on a fresh connection where a kept one, or asking to keep it, was the trouble."""
        link = await self._kept_link(server) or await self._connect(server)
        while True:
            exchange = self._new_exchange(link)
            try:
                await self._converse(link, exchange, kept, partials, tell)
                return
            except EngineFailed:
                if self._closed or not link.is_lost or not (link.utterances or exchange.asks_to_keep):
                    raise
                if not link.utterances:
                    server.keeps_connections = False
            partials.begin_again()
            link = await self._connect(server)

    async def _converse(
        self, link: Link, exchange: Exchange, kept: KeptAudio, partials: Partials, tell: Tell
    ) -> None:
        """One utterance on one connection, which is then kept or closed."""
        server = link.server
        try:
            tell(await _Conversation(link, exchange, kept, partials, self._send_timeout_s).run())
            link.utterances += 1
            if not exchange.done:
                server.failed(link.failure("it did not finish; what it had told so far stands"))
                return
            server.worked()
            if self.reuse and server.keeps_connections and not link.is_lost and not self._closed:
                server.idle.append(link)
        finally:
            if link not in server.idle:
                await self._close(link)

    async def _kept_link(self, server: Server) -> Link | None:
        """A connection kept from an earlier utterance that still works; those that do not are closed."""
        while server.idle:
            link, healthy = server.idle.pop(), False
            try:
                healthy = await link.is_healthy()
            finally:
                if not healthy:
                    await self._close(link)
            if healthy:
                return link
        return None

    async def _connect(self, server: Server) -> Link:
        try:
            connection = await connect(
                server.url,
                ssl=self._tls if server.secure else None,
                subprotocols=self._subprotocols,
                compression=None,
                proxy=None,  # a recognition server is never reached over the internet's proxies
                open_timeout=self._connect_timeout_s,
                close_timeout=_CLOSE_TIMEOUT_S,
                ping_interval=_KEEPALIVE_S,
                ping_timeout=_KEEPALIVE_S,
                logger=_wire_log,
            )
        except NETWORK_ERRORS as error:
            reason = self._reason(error)
            raise EngineFailed(f"{server.label}: {reason}", retryable=True) from error
        link = Link(server, connection)
        self._links.add(link)
        if self._closed:
            await self._close(link)
        self._check_open()
        return link

    async def _close(self, link: Link) -> None:
        self._links.discard(link)
        await link.close()

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TIMEOUTS):
            return f"no connection within {self._connect_timeout_s:g} s"
        if isinstance(error, InvalidStatus):
            return f"refused with HTTP {error.response.status_code}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {error.verify_message}"
        if isinstance(error, InvalidHandshake):
            return "it is not a WebSocket server"
        return f"cannot be reached: {error}"

    def _check_open(self) -> None:
        if self._closed:
            raise EngineFailed("the recogniser is closed", retryable=False)


class _Conversation:
    """One utterance on one connection: audio goes out while replies come in."""

    def __init__(
        self, link: Link, exchange: Exchange, kept: KeptAudio, partials: Partials, send_timeout_s: float
    ) -> None:
        self._link = link
        self._exchange = exchange
        self._kept = kept
        self._partials = partials
        self._send_timeout_s = send_timeout_s
        self._listening = anyio.CancelScope()  # its deadline is the time by which a reply is due
        self._error: Exception | None = None

    async def run(self) -> Transcript:
        """The final result; raises EngineFailed, and errors of the audio as they are."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._feed)
            await self._listen()
            group.cancel_scope.cancel()
        if self._error is not None:
            raise self._error
        return self._exchange.final()

    async def _feed(self) -> None:
        try:
            await self._send(self._exchange.begin())
            async for pcm in self._kept.read():
                await self._send(self._exchange.audio(pcm))
            await self._send(self._exchange.end())
        except Exception as error:  # raised by run()
            self._error = self._error or error
            self._listening.cancel()

    async def _send(self, messages: Sequence[str | bytes]) -> None:
        for message in messages:
            try:
                with anyio.fail_after(self._send_timeout_s):
                    await self._link.connection.send(message)
            except TIMEOUTS as error:
                raise self._link.failure(f"took nothing for {self._send_timeout_s:g} s") from error
            except NETWORK_ERRORS as error:
                raise self._link.failure("the connection was lost") from error
            self._expect_reply(from_now=False)
            await anyio.lowlevel.checkpoint()  # a minute of audio sent again must not hold up other calls

    async def _listen(self) -> None:
        try:
            with self._listening:
                while not self._exchange.done:
                    self._exchange.take(await self._link.connection.recv())
                    if not self._exchange.done:
                        self._partials.show(self._exchange.text())
                        self._expect_reply(from_now=True)
        except NETWORK_ERRORS as error:
            if self._error is None and not self._exchange.may_be_done:
                self._error = self._link.failure("the connection was lost")
                self._error.__cause__ = error
        except Exception as error:  # raised by run()
            self._error = self._error or error

    def _expect_reply(self, *, from_now: bool) -> None:
        """Set the time by which a reply is due; one that was due already is not put off by sending more."""
        patience_s = self._exchange.patience_s()
        if from_now or math.isinf(patience_s) or math.isinf(self._listening.deadline):
            self._listening.deadline = anyio.current_time() + patience_s


def _tls(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:  # these servers come with self-signed certificates
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
