"""A bad line: forwards RTP both ways, loses some of it and delays the rest, and captures what it does."""

from __future__ import annotations

import heapq
import random
import select
import socket
import threading
import time

from tests.sip.capture import Capture, Captured
from tests.sip.plain import MAX_BYTES, Address, loopback_socket


class LossyRelay:
    """Between a caller and an agent: both send their RTP here.

    Each packet is lost with probability `loss`, else sent on after a delay anywhere from 0 to `spread_s`, so
    that packets overtake each other. What is lost and how late the rest is depends on `seed` alone.
    """

    def __init__(self, *, loss: float, spread_s: float, seed: int, capture: Capture) -> None:
        self._loss = loss
        self._spread_s = spread_s
        self._chance = random.Random(seed)
        self._capture = capture
        self._for_caller, self._for_agent = loopback_socket(), loopback_socket()
        self.caller_side: Address = self._for_caller.getsockname()  # where the caller sends its RTP
        self.agent_side: Address = self._for_agent.getsockname()  # where the agent sends its own
        self._peers: dict[socket.socket, Address] = {}  # the socket facing it -> its address
        self._waiting: list[tuple[float, int, socket.socket, bytes]] = []
        self._count = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self, caller: Address, agent: Address) -> None:
        """Forward between these from now on."""
        self._peers = {self._for_caller: caller, self._for_agent: agent}
        self._thread.start()

    def close(self) -> None:
        """Stop; harmless when it was never started."""
        self._closing = True
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._for_caller.close()
        self._for_agent.close()

    def _run(self) -> None:
        other = {self._for_caller: self._for_agent, self._for_agent: self._for_caller}
        while not self._closing:
            wait_s = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else 0.05
            for ready in select.select(list(self._peers), [], [], min(wait_s, 0.05))[0]:
                raw, source = ready.recvfrom(MAX_BYTES)
                self._capture.write(Captured(time.time(), source, ready.getsockname(), raw))
                lost, delay_s = self._chance.random() < self._loss, self._chance.random() * self._spread_s
                if not lost:
                    self._count += 1
                    heapq.heappush(
                        self._waiting, (time.monotonic() + delay_s, self._count, other[ready], raw)
                    )
            self._send_due()

    def _send_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, out, raw = heapq.heappop(self._waiting)
            out.sendto(raw, self._peers[out])
            self._capture.write(Captured(time.time(), out.getsockname(), self._peers[out], raw))
