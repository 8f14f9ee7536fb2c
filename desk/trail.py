"""Writing down who does what: a route that takes a `Noted` adds entries to the audit trail by calling it.

with store.batch():  # the change and its entry are both kept, or neither
    store.replace_passage(...)
    noted("knowledge_changed", passage_id)
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from desk.auth import Identity, Me
from records.audit import Audit

LISTEN_S = 600.0  # listening on and off within this time is one entry


class Trail:
    """The audit trail for one request; it waits for the database, so it is called in worker threads.

    Raises RecordsError, answered as 503, where an entry cannot be kept: what it tells of is then not done.
    """

    def __init__(self, audit: Audit, me: Identity, address: str) -> None:
        self._audit = audit
        self._me = me
        self._address = address

    def __call__(self, action: str, about: str = "", **detail: object) -> None:
        """Add that the sender did `action` to `about`; `detail` holds neither callers' words nor secrets."""
        self._audit(self._me.name, self._me.role, action, about, detail, self._address)

    def listening(self, call_id: str) -> None:
        """Add that the sender hears a call, once for all ranges that a player asks for."""
        self._audit.once(LISTEN_S, self._me.name, self._me.role, "listen", call_id, self._address)


def address_of(request: Request) -> str:
    """Where a request came from."""
    return request.client.host if request.client else ""


async def trail_of(request: Request, me: Me) -> Trail:
    """The audit trail of the store that the desk was made with."""
    return Trail(request.app.state.audit, me, address_of(request))


Noted = Annotated[Trail, Depends(trail_of)]
