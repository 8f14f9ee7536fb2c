"""Callers who could not be helped and are called back: what a call needs of whoever keeps such promises."""

from __future__ import annotations

from typing import Literal, Protocol

from dialog import CallContext, Summary


class Promises(Protocol):
    """Keeps who is to be called back; never raises, so that a call goes on when it cannot."""

    async def promise(
        self, call: CallContext, reason: Literal["promised", "abandoned"], summary: Summary, skill: str
    ) -> bool:
        """Have the caller called back, who was told so or hung up while waiting; False: nobody will be."""
        ...

    async def reached(self, call: CallContext) -> None:
        """The caller has talked to a person: a call-back that is open is no longer needed."""
        ...
