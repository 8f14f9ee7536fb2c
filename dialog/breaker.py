"""Stops asking a service that keeps failing, so that no caller waits for it: pure, clockless."""

from __future__ import annotations

from typing import Literal

FAILURES = 3  # in a row, within WITHIN_S, after which the service is not asked
WITHIN_S = 60.0
REST_S = 30.0  # from the last failure until one request may try again


class CircuitBreaker:
    """Counts how requests went; `now_s` is any clock's time that never goes back, the same in all calls.

    Closed: everyone may ask. Open, after `failures` in a row: nobody may. Half-open, `rest_s` later: one
    request may; it closes the breaker or opens it anew. A success in between forgives what failed before.
    Whoever was allowed to ask tells how it went: succeeded(), failed(), or abandoned() when nobody waited
    for the outcome. Of a trial that is not heard of for `rest_s` nothing more is expected: another may try.
    """

    def __init__(self, failures: int = FAILURES, within_s: float = WITHIN_S, rest_s: float = REST_S) -> None:
        self._failures = failures
        self._within_s = within_s
        self.rest_s = rest_s
        self._failed_at: list[float] = []
        self._rests_until = 0.0
        self._tried_at: float | None = None  # when the trial under way began
        self.state: Literal["closed", "open", "half-open"] = "closed"

    def rests(self, now_s: float) -> bool:
        """Whether nobody may ask now; asking this changes nothing."""
        return self.state == "open" and now_s < self._rests_until

    def may_ask(self, now_s: float) -> bool:
        """Whether a request may be made now; while half-open that is given to one alone."""
        if self.state == "open" and now_s >= self._rests_until:
            self.state = "half-open"
        lost = self._tried_at is not None and now_s >= self._tried_at + self.rest_s
        if self.state == "half-open" and (self._tried_at is None or lost):
            self._tried_at = now_s
            return True
        return self.state == "closed"

    def succeeded(self) -> bool:
        """A request was answered; True when that closed the breaker."""
        closed = self.state != "closed"
        self.state, self._tried_at = "closed", None
        self._failed_at.clear()
        return closed

    def failed(self, now_s: float, rest_s: float | None = None) -> bool:
        """A request failed; True when that opened the closed breaker, which is worth a line in the log.

        A service that said how long it wants to be left alone (`rest_s`) is left alone at once, for so long.
        """
        recent = [at for at in self._failed_at if at > now_s - self._within_s]
        self._failed_at = [*recent, now_s]
        was_closed = self.state == "closed"
        if not was_closed or rest_s is not None or len(self._failed_at) >= self._failures:
            self.state, self._tried_at = "open", None
            until = now_s + (self.rest_s if rest_s is None else rest_s)
            self._rests_until = max(self._rests_until, until)
        return was_closed and self.state == "open"

    def abandoned(self) -> None:
        """A request was given up before its outcome showed: half-open, another may try."""
        self._tried_at = None
