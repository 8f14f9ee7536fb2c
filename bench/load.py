"""Many callers at once over real SIP and RTP, light enough for one core: plain sockets, one loop, no codecs.

Each caller has a socket of its own and sends a packet each 20 ms. It waits for the greeting, asks, listens,
and asks again as soon as it has talked for less than its share of the call; where the answer is longer than
that, it is interrupted. What the agent sends is judged by the kernel's arrival times, so that a generator
that is late itself does not make the agent late.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import uac
from bench.speech import PCMA, SILENCE, Clip, is_audible, rtp_packet

PACKET_S = 0.02
PHASES = 10  # callers send at one of so many moments within each 20 ms
RATE = 8000
QUIET_S = 0.7  # the agent has finished when it was quiet this long; its pauses are shorter
TALKED_OVER_S = 0.2  # it still spoke when the question ended: what follows at once is no answer
LISTEN_S = 2.0  # of an answer, before it is interrupted
ANSWER_S = 6.0  # without a sound after a question: it was not answered
DEAD_S = 2.0  # without a packet: the audio has stopped
LATE_WINDOW = 200  # packets after which the best arrival seen is forgotten
_TIMESTAMPS = getattr(socket, "SO_TIMESTAMPNS", 35)


@dataclass(slots=True)
class Figures:
    """What all callers saw in one stretch of time; times in ms, shares of 1."""

    answered: int = 0
    ended: int = 0  # as they should
    questions: int = 0
    gap_ms: list[float] = field(default_factory=list)
    late_ms: array[float] = field(default_factory=lambda: array("f"))  # each packet against the 20 ms grid
    lost: int = 0
    talked_over: int = 0  # questions to whose end the agent did not stop speaking; without a gap
    failures: Counter[str] = field(default_factory=Counter)
    sent: int = 0  # packets
    sent_speech: int = 0
    own_late_ms: array[float] = field(default_factory=lambda: array("f"))  # the generator itself


class Caller:
    """One call, from INVITE to BYE."""

    def __init__(self, load: Load, number: int, hold_s: float) -> None:
        self._load = load
        self._chance = load.chance
        self._hold_s = hold_s
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("127.0.0.1", 0))
        self._rtp.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self._rtp.setblocking(False)
        port = self._rtp.getsockname()[1]
        self.sip = uac.Call(f"1390000{number % 10000:04d}", port, self._on_up, self._on_over)
        self._up_at = self._heard_at = self._asked_at = 0.0
        self._sound_at = float("-inf")  # the agent's latest
        self._answer_at: float | None = None  # its first sound after the question, or of the greeting
        self._answer_due = True
        self._overlapped = True  # so that the greeting is no answer to a question
        self._clip: Clip | None = None
        self._position = 0
        self._packets = self._speech_packets = 0
        self._sequence = self._chance.randrange(1 << 15)
        self._ssrc = self._chance.getrandbits(32)
        self._first_timestamp: int | None = None
        self._last_sequence = -1
        self._best_s = self._window_best_s = float("inf")
        self._window_left = LATE_WINDOW

    def tick(self, now: float) -> None:
        """Each 20 ms: receive, decide, send."""
        self._load.agent.tick(self.sip, now)
        if self.sip.state == "up":
            self._receive()
            self._decide(now)
            self._send(now)

    def leave(self, now: float) -> None:
        """Hang up, if there is somebody to hang up on."""
        if self.sip.state == "up":
            self._load.agent.bye(self.sip, now)

    def _on_up(self) -> None:
        self._up_at = self._heard_at = self._asked_at = time.time()
        self._rtp.connect(self.sip.rtp)
        self._load.figures.answered += 1

    def _on_over(self, failure: str) -> None:
        self._rtp.close()
        self._load.figures.ended += not failure
        if failure:
            self._load.figures.failures[failure] += 1

    def _receive(self) -> None:
        figures = self._load.figures
        while True:
            try:
                packet, extra, _, _ = self._rtp.recvmsg(2048, 64)
            except (BlockingIOError, ConnectionRefusedError):
                return
            seconds, nanoseconds = struct.unpack("qq", extra[0][2])
            at = seconds + nanoseconds / 1e9
            kind, sequence, timestamp = struct.unpack_from("!xBHI", packet)
            if kind & 0x7F != PCMA:
                continue
            if self._last_sequence >= 0:
                figures.lost += (sequence - self._last_sequence - 1) & 0x7FFF
            self._last_sequence, self._heard_at = sequence, at
            figures.late_ms.append(self._lateness_ms(at, timestamp))
            if is_audible(packet[12:]):
                self._hear(at)

    def _lateness_ms(self, at: float, timestamp: int) -> float:
        """How much later than the earliest of late this packet is, on the grid of its own time stamps."""
        if self._first_timestamp is None:
            self._first_timestamp = timestamp
        transit_s = at - ((timestamp - self._first_timestamp) & 0xFFFFFFFF) / RATE
        self._window_best_s = min(self._window_best_s, transit_s)
        self._window_left -= 1
        best_s = min(self._best_s, self._window_best_s)
        if not self._window_left:
            self._best_s, self._window_best_s = self._window_best_s, float("inf")
            self._window_left = LATE_WINDOW
        return (transit_s - best_s) * 1000

    def _hear(self, at: float) -> None:
        silent_s = at - self._sound_at
        self._sound_at = at
        if self._answer_due and self._clip is None and at > self._asked_at:
            if self._overlapped and self._up_at < self._asked_at and silent_s < TALKED_OVER_S:
                return
            self._answer_due, self._answer_at = False, at
            if not self._overlapped:
                self._load.figures.gap_ms.append((at - self._asked_at) * 1000)

    def _decide(self, now: float) -> None:
        if now - self._heard_at > DEAD_S:
            self._fail("the audio stopped", now)
        elif self._clip is not None:
            return
        elif self._answer_due:
            if now - self._asked_at > ANSWER_S:
                self._load.figures.failures["no greeting" if self._answer_at is None else "no answer"] += 1
                self._answer_due, self._answer_at = False, now
        elif now - self._up_at > self._hold_s:
            self.leave(now)
        elif self._load.clips and self._may_ask(now):
            self._clip, self._position = self._chance.choice(self._load.clips), 0

    def _may_ask(self, now: float) -> bool:
        assert self._answer_at is not None
        if now - self._sound_at > QUIET_S:
            return not self._load.talk or self._talks_too_little()
        return self._load.talk > 0 and now - self._answer_at > LISTEN_S and self._talks_too_little()

    def _talks_too_little(self) -> bool:
        return self._speech_packets < self._load.talk * self._packets

    def _send(self, now: float) -> None:
        payload = SILENCE
        if self._clip is not None:
            payload = self._clip.packets[self._position]
            self._position += 1
            self._speech_packets += 1
            self._load.figures.sent_speech += 1
        self._packets += 1
        self._load.figures.sent += 1
        try:
            self._rtp.send(rtp_packet(payload, self._packets, self._sequence, self._ssrc))
        except (ConnectionRefusedError, BlockingIOError):
            self._load.figures.failures["a packet was refused"] += 1
        if self._clip is not None and self._position == len(self._clip.packets):
            self._question_over(now)

    def _question_over(self, now: float) -> None:
        self._clip, self._answer_due, self._asked_at = None, True, now
        self._overlapped = now - self._sound_at < TALKED_OVER_S
        self._load.figures.questions += 1
        self._load.figures.talked_over += self._overlapped

    def _fail(self, what: str, now: float) -> None:
        self._load.figures.failures[what] += 1
        self.leave(now)


class Load:
    """Keeps `target` calls up: new ones at `rate` a second, each replaced when it ends."""

    def __init__(
        self,
        agent: uac.Address,
        clips: Sequence[Clip],
        *,
        talk: float,
        hold_s: float,
        rate: float,
    ) -> None:
        """`clips` none: callers stay silent; `talk` 0: they ask when the agent has finished speaking."""
        self.agent = uac.UserAgent(agent)
        self.clips = clips
        self.talk = talk
        self.target = 0
        self.figures = Figures()
        self.chance = random.Random(12345)
        self._hold_s = hold_s
        self._rate = rate
        self._made = 0
        self._next_call_at = 0.0
        self._phases: list[list[Caller]] = [[] for _ in range(PHASES)]
        self._step = 0

    @property
    def calls(self) -> int:
        """Calls ringing, up or being ended."""
        return sum(map(len, self._phases))

    @property
    def up(self) -> int:
        """Calls that have been answered and not ended."""
        return sum(caller.sip.state == "up" for phase in self._phases for caller in phase)

    def run(self, seconds: float) -> None:
        """Go on for so long; between two runs nothing is sent, so do nothing slow there."""
        begun = time.perf_counter()
        slot_s = PACKET_S / PHASES
        for number in range(round(seconds / slot_s)):
            wait_s = begun + number * slot_s - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
            self.figures.own_late_ms.append(max(0.0, -wait_s) * 1000)
            self._slot()

    def stop(self) -> None:
        """Hang up everywhere and wait for the agent to confirm."""
        self.target = 0
        for phase in self._phases:
            for caller in phase:
                caller.leave(time.time())
        deadline = time.time() + uac.GIVE_UP_S + 1
        while self.calls and time.time() < deadline:
            self.run(0.2)
        self.agent.close()

    def _slot(self) -> None:
        now = time.time()
        self.agent.poll()
        phase = self._phases[self._step % PHASES]
        for caller in phase:
            caller.tick(time.time())
        if any(caller.sip.state == "over" for caller in phase):
            phase[:] = [caller for caller in phase if caller.sip.state != "over"]
        if now >= self._next_call_at and self.calls < self.target:
            self._next_call_at = max(self._next_call_at, now - 1) + 1 / self._rate
            self._made += 1
            caller = Caller(self, self._made, self._hold_s * self.chance.uniform(0.75, 1.25))
            min(self._phases, key=len).append(caller)
            self.agent.invite(caller.sip, now)
        self._step += 1
