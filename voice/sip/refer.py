"""Handing a call back to the other side: REFER (RFC 3515), with Replaces too (RFC 3891)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

import anyio
import pjsua2 as pj

from voice.phone import Leg, LegGone, NoAnswer, Unreachable
from voice.sip import library
from voice.sip.leg import error_for

# What may stand unescaped in the headers of a SIP URI (RFC 3261, 25.1: hnv-unreserved and unreserved).
_PLAIN_IN_HEADERS = "[]/?:+$-_.!~*'()"


def refer_to(target: str, headers: Mapping[str, str] | None = None) -> str:
    """The value of Refer-To: `target` with the headers that its INVITE shall carry."""
    fields = "&".join(
        f"{quote(name, safe=_PLAIN_IN_HEADERS)}={quote(value, safe=_PLAIN_IN_HEADERS)}"
        for name, value in (headers or {}).items()
    )
    joint = "&" if "?" in target else "?"
    return f"<{target}{joint}{fields}>" if fields else f"<{target}>"


class Referral:
    """A REFER under way on `leg`. on_status() is called on the event loop, with what the other side tells."""

    def __init__(self, leg: Leg, loop: asyncio.AbstractEventLoop) -> None:
        self._leg = leg
        self._accepted = False
        self._result: asyncio.Future[int] = loop.create_future()  # the final status; 0: the leg is gone

    def on_status(self, status: int) -> None:
        """The response to the REFER (100 for any success), or what a NOTIFY says of the new call."""
        if status < 200:
            self._accepted = True
        else:
            self._settle(status)

    async def done(self, timeout_s: float) -> None:
        """Wait for success. Raises Busy, Declined, NoAnswer, Unreachable, LegGone; see Phone.refer."""
        with anyio.move_on_after(timeout_s):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch_leg)
                await self._result
                tasks.cancel_scope.cancel()
        if self._result.cancelled() or not self._result.done():
            if self._accepted:
                raise NoAnswer(f"the other side told of no success within {timeout_s:g} s of the REFER")
            raise Unreachable(f"no response to the REFER within {timeout_s:g} s")
        status = self._result.result()
        if not status:
            raise LegGone("the leg ended before the other side took the REFER")
        if status >= 300:
            raise error_for(status)

    async def _watch_leg(self) -> None:
        """PBXs hang up on us as soon as they have the caller, often without a last NOTIFY."""
        why = await self._leg.gone()
        self._settle(200 if self._accepted and why == "remote_hangup" else 0)

    def _settle(self, status: int) -> None:
        if not self._result.done():
            self._result.set_result(status)


def refer_call(call: library.Call, target: str, headers: Mapping[str, str] | None) -> None:
    """Send REFER; the library adds Referred-By. On the library's thread.

    Our own headers stand in the REFER too: Asterisk shows its dialplan those, and not the ones in Refer-To.
    """
    prm = pj.CallOpParam(True)
    library.add_headers(prm, {name: value for name, value in (headers or {}).items() if name[:2] == "X-"})
    call.xfer(refer_to(target, headers), prm)


def replace_call(call: library.Call, other: library.Call) -> None:
    """Send REFER with Replaces of `other`. On the library's thread."""
    call.xferReplaces(other, pj.CallOpParam(True))
