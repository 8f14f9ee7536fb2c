"""Posts what waits in the outbox to the city's own system, signed, until it is taken.

Every node with a webhook runs one; each message is claimed in the database before it is sent, so that nodes
share the work. A message may still arrive twice, when a node dies or the network fails between the receiver's
yes and our note of it: both times with the same key, by which the receiver takes it once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import anyio
import anyio.to_thread
import httpx
import structlog

from records import RecordsError
from records.outbox import Letter
from records.store import Store

log = structlog.get_logger()

POLL_S = 1.0  # between two looks for new messages while there are none
BROKEN_S = 5.0  # until the next look after the database failed
COUNT_EVERY_S = 10.0
CLAIM_S = 30.0  # beyond the time-out, in which a node notes what became of a message; then others take it
FIRST_WAIT_S, MOST_WAIT_S = 2.0, 3600.0  # before the second attempt; doubled before each further one
MOST_RETRY_AFTER_S = 24 * 3600.0
ANSWER_BYTES = 400  # of a refusal, kept to tell why
ALREADY_THERE = 409
LATER = frozenset({408, 425, 429})  # the only refusals (4xx) that may pass by themselves


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """What X-Hotline-Signature holds: HMAC-SHA256 over the timestamp, a dot and the body, in hex."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt: the status, None where there was no answer, and why it was not taken."""

    status: int | None
    error: str = ""
    retry_after: str = ""

    @property
    def taken(self) -> bool:
        """Whether the receiver has the message now."""
        return self.status is not None and (200 <= self.status < 300 or self.status == ALREADY_THERE)

    @property
    def final(self) -> bool:
        """Whether sending the same message again is of no use."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in LATER


class Outbox:
    """Sends the store's messages to `url` by POST; `node` is the name that a claim carries.

    An attempt may take `timeout_s`; a message is sent again, ever more rarely, until it is `give_up_after_h`
    old. `backlog` says how many wait and how many have failed for good.
    """

    def __init__(
        self,
        store: Store,
        url: str,
        secret: str,
        *,
        timeout_s: float = 10.0,
        give_up_after_h: float = 72.0,
        node: str = "",
        poll_s: float = POLL_S,
        clock: Callable[[], datetime] = _utc_now,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._messages = store.outbox
        self._url = url
        self._secret = secret
        self._timeout_s = timeout_s
        self._give_up_after = timedelta(hours=give_up_after_h)
        self._node = node
        self._poll_s = poll_s
        self._clock = clock
        self._jitter = jitter
        self.backlog: Mapping[str, int] = {"waiting": 0, "failed": 0}

    async def run(self) -> None:
        """Send until cancelled; a message that is under way then is sent again, by whoever runs next."""
        async with httpx.AsyncClient(timeout=self._timeout_s) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(self._count)
            while True:
                try:
                    more = await self._send_one(client)
                except RecordsError as error:
                    log.error("outbox_not_read", error=str(error))
                    await anyio.sleep(BROKEN_S)
                else:
                    await anyio.sleep(0 if more else self._poll_s)

    async def _send_one(self, client: httpx.AsyncClient) -> bool:
        """Send the message that is due, if any. Raises RecordsError."""
        claim_s = self._timeout_s + CLAIM_S
        letter = await anyio.to_thread.run_sync(self._messages.claim, self._node, claim_s)
        if letter is None:
            return False
        try:
            answer = await self._post(client, letter)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):  # else others would wait for the claim to run out
                stopped = "the program was stopped while sending"
                await anyio.to_thread.run_sync(self._messages.failed, letter, stopped, self._clock())
            raise
        with anyio.CancelScope(shield=True):  # what is known of a message is noted
            await self._note(letter, answer)
        return True

    async def _note(self, letter: Letter, answer: Answer) -> None:
        facts = {"message": letter.id, "attempt": letter.attempt, "status": answer.status}
        if answer.taken:
            await anyio.to_thread.run_sync(self._messages.sent, letter)
            log.info("outbox_sent", **facts)
            return
        again_at = self.again_at(letter, answer)
        mine = await anyio.to_thread.run_sync(self._messages.failed, letter, answer.error, again_at)
        if again_at:
            log.warning("outbox_not_taken", again_at=again_at.isoformat(timespec="seconds"), **facts)
        elif mine:
            log.error("outbox_failed", **facts)

    async def _post(self, client: httpx.AsyncClient, letter: Letter) -> Answer:
        body = json.dumps(letter.body, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "hotline-voice-agent",
            "X-Hotline-Key": letter.key,
            "X-Hotline-Timestamp": timestamp,
            "X-Hotline-Signature": sign(self._secret, timestamp, body),
        }
        answer = Answer(None, f"no answer within {self._timeout_s:g} s")
        try:
            with anyio.move_on_after(self._timeout_s):
                async with client.stream("POST", self._url, content=body, headers=headers) as reply:
                    retry_after = reply.headers.get("Retry-After", "")
                    answer = Answer(reply.status_code, f"HTTP {reply.status_code}", retry_after)
                    if not answer.taken:
                        said = await _beginning(reply)
                        answer = Answer(reply.status_code, f"{answer.error} {said}".strip(), retry_after)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if answer.status is None:
                answer = Answer(None, f"{type(error).__name__}: {error}".strip(": "))
        return answer

    def again_at(self, letter: Letter, answer: Answer) -> datetime | None:
        """When to send it again after this answer; None: never."""
        if answer.final:
            return None
        now = self._clock()
        wait_s = min(FIRST_WAIT_S * 2 ** min(letter.attempt - 1, 30), MOST_WAIT_S) * (1 + self._jitter()) / 2
        wait_s = max(wait_s, min(_seconds(answer.retry_after, now), MOST_RETRY_AFTER_S))
        again = now + timedelta(seconds=wait_s)
        return again if again <= letter.created_at + self._give_up_after else None

    async def _count(self) -> None:
        while True:
            try:
                self.backlog = await anyio.to_thread.run_sync(self._messages.count)
            except RecordsError as error:
                log.error("outbox_not_counted", error=str(error))
            await anyio.sleep(COUNT_EVERY_S)


async def _beginning(reply: httpx.Response) -> str:
    """The first words of a refusal, on one line."""
    said = b""
    async for part in reply.aiter_bytes():
        said += part
        if len(said) >= ANSWER_BYTES:
            break
    return " ".join(said[:ANSWER_BYTES].decode(errors="replace").split())


def _seconds(retry_after: str, now: datetime) -> float:
    """Retry-After, in seconds or as a date (RFC 9110, 10.2.3), from now on; 0 for none or nonsense."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max((parsedate_to_datetime(retry_after) - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0
