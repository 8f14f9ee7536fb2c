"""The caller's process of the timing benchmark: `python -m bench.turns_caller PLAN REPORT` (pickles of ours).

It rings over SIP and RTP on plain sockets, so many calls at a time, and notes when each of its packets was
sent and, by the kernel's clock, when each of the agent's arrived.
"""

from __future__ import annotations

import gc
import pickle
import random
import socket
import struct
import sys
import time
from array import array
from collections import deque
from pathlib import Path

from bench import uac
from bench.speech import PCMA, rtp_packet
from bench.turns_script import PACKET_S, Conversation, Plan, Report, Script, Trace, idle_packets

PHASES = 10  # calls send at one of so many moments within each 20 ms
DEAD_S = 2.0  # without a packet: the audio has stopped
LONGEST_S = 300.0
BETWEEN_CALLS_S = 0.2
_TIMESTAMPS = getattr(socket, "SO_TIMESTAMPNS", 35)


class Caller:
    """One call, from INVITE to BYE."""

    def __init__(
        self, plan: Plan, script: Script, number: int, agent: uac.UserAgent, idle: list[bytes]
    ) -> None:
        self.script = script
        self.trace = Trace(f"139{number:08d}")
        self.conversation: Conversation | None = None
        self._plan = plan
        self._agent = agent
        self._idle = idle
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("127.0.0.1", 0))
        self._rtp.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self._rtp.setblocking(False)
        self._chance = random.Random(number)
        self._sequence = self._chance.randrange(1 << 15)
        self._ssrc = self._chance.getrandbits(32)
        self._packets = 0
        self._heard_at = 0.0
        self.sip = uac.Call(self.trace.number, self._rtp.getsockname()[1], self._on_up, self._on_over)
        agent.invite(self.sip, time.time())

    def tick(self) -> None:
        """Each 20 ms: receive, decide, send."""
        now = time.time()
        self._agent.tick(self.sip, now)
        if self.sip.state != "up" or self.conversation is None:
            return
        self._receive(self.conversation)
        packet = self.conversation.next_packet(now)
        if packet is None or now - self.trace.up_at > LONGEST_S or now - self._heard_at > DEAD_S:
            if packet is not None:
                self.trace.failure = (
                    "the audio stopped" if now - self._heard_at > DEAD_S else "it never ended"
                )
            self._agent.bye(self.sip, now)
        else:
            self._send(packet)

    def _on_up(self) -> None:
        self.trace.up_at = self._heard_at = time.time()
        self._rtp.connect(self.sip.rtp)
        self.conversation = Conversation(self.script, self._plan.clips, self._idle, self.trace)

    def _on_over(self, failure: str) -> None:
        self.trace.over_at = time.time()
        self.trace.failure = self.trace.failure or failure
        self._rtp.close()

    def _receive(self, conversation: Conversation) -> None:
        while True:
            try:
                packet, extra, _, _ = self._rtp.recvmsg(2048, 64)
            except (BlockingIOError, ConnectionRefusedError):
                return
            seconds, nanoseconds = struct.unpack("qq", extra[0][2])
            if packet[1] & 0x7F == PCMA:
                self._heard_at = seconds + nanoseconds / 1e9
                conversation.hear(packet[12:], self._heard_at)

    def _send(self, payload: bytes) -> None:
        self._packets += 1
        try:
            self._rtp.send(rtp_packet(payload, self._packets, self._sequence, self._ssrc))
        except (ConnectionRefusedError, BlockingIOError):
            self.trace.failure = self.trace.failure or "a packet was refused"


def run(plan: Plan) -> Report:
    """Make all calls; what an interrupted or failed call did not say is said in another one."""
    agent, idle = uac.UserAgent(plan.agent), idle_packets()
    waiting, traces, late_ms = deque(plan.scripts), [], array("f")
    phases: list[list[Caller]] = [[] for _ in range(PHASES)]
    unsaid = made = step = 0
    next_call_at, begun = 0.0, time.perf_counter()
    while waiting or any(phases):
        wait_s = begun + step * PACKET_S / PHASES - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        late_ms.append(max(0.0, -wait_s) * 1000)
        agent.poll()
        phase = phases[step % PHASES]
        step += 1
        for caller in phase:
            caller.tick()
        for caller in [caller for caller in phase if caller.sip.state == "over"]:
            phase.remove(caller)
            traces.append(caller.trace)
            again = caller.conversation.rest if caller.conversation else caller.script.rest(0)
            if again:
                waiting.append(again)
            elif caller.conversation is None or caller.conversation.unsaid:
                unsaid += caller.conversation.unsaid if caller.conversation else len(caller.script.items)
        if waiting and sum(map(len, phases)) < plan.at_a_time and time.time() > next_call_at:
            next_call_at = time.time() + BETWEEN_CALLS_S
            made += 1
            caller = Caller(plan, waiting.popleft(), made, agent, idle)
            min(phases, key=len).append(caller)
    agent.close()
    return Report(traces, unsaid, late_ms)


def main(plan_file: str, report_file: str) -> None:
    """Read the plan, make the calls, write the report."""
    plan = pickle.loads(Path(plan_file).read_bytes())
    gc.disable()  # nothing here makes cycles, and a collection would delay packets
    Path(report_file).write_bytes(pickle.dumps(run(plan)))


if __name__ == "__main__":
    main(*sys.argv[1:3])
