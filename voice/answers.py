"""What the dialog answers: its text for a reply, its work orders filed on the way, and answers made ahead."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup

from dialog import Basis, CallContext, FileTicket, Message, TicketDraft
from voice.events import TicketFiled
from voice.history import History
from voice.kit import Kit
from voice.replies import Replies, Reply
from voice.streams import closing
from voice.work_ahead import SURE, WorkAhead

log = structlog.get_logger()


class Answers:
    """Asks the dialog, for one call; `happened` tells the record, `on_filed` hears of work orders."""

    def __init__(
        self,
        kit: Kit,
        call: CallContext,
        history: History,
        replies: Replies,
        *,
        happened: Callable[[str, Mapping[str, Any]], None],
        on_filed: Callable[[], None],
    ) -> None:
        self._kit = kit
        self.call = call
        self._history = history
        self._replies = replies
        self._happened = happened
        self._on_filed = on_filed
        self.ahead = WorkAhead(replies.discard)

    def prepare(self, tasks: TaskGroup, text: str) -> None:
        """The caller may have finished with this `text`: have the reply ready."""
        self.ahead.prepare(self._history.with_caller(text, SURE), partial(self._begin_draft, tasks))

    def _begin_draft(self, tasks: TaskGroup, messages: Sequence[Message]) -> Reply:
        reply = Reply(-1, None, self._history.basis())  # its index it gets when it is to be heard
        self._replies.prepare(tasks, partial(self.text, messages=messages), reply)
        return reply

    async def text(self, reply: Reply, messages: Sequence[Message] = ()) -> AsyncIterator[str]:
        """The dialog's text in answer to `messages`, or to all that has been said.

        Its Basis and Action are kept aside in `reply`; work orders are filed once the reply is to be heard.
        """
        while True:
            messages = messages or self._history.messages
            async with closing(self._kit.dialog.reply(self.call, messages)) as items:
                async for item in items:
                    if isinstance(item, str):
                        yield item
                    elif isinstance(item, Basis):
                        reply.basis, reply.answers = item, True
                    elif isinstance(item, FileTicket):
                        await reply.until(lambda: reply.confirmed and (reply.audible or not reply.text))
                        reply.acted = True
                        with anyio.CancelScope(shield=True):  # filed and known to be filed, or neither
                            self._history.acted(await self.file(item.draft), reply.basis)
                        messages = ()
                        break  # and ask again
                    else:
                        reply.action = item
                else:
                    return

    async def file(self, draft: TicketDraft) -> str:
        """File a work order, the same one only once; returns its number, "" when it failed."""
        key = f"{self.call.call_id}:{hashlib.sha256(repr(draft).encode()).hexdigest()[:16]}"
        try:
            number = await self._kit.file_ticket(self.call, key, draft)
        except Exception as error:
            log.error("ticket_failed", call_id=self.call.call_id, exc_info=error)
            self._happened("failed", {"stage": "ticket", "error": type(error).__name__})
            return ""
        self._on_filed()
        self._kit.journal.emit(TicketFiled(self.call.call_id, number))
        return number
