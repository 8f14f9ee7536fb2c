"""A small city's embedded dialog, and a call held with it turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from dialog import Basis, CallContext, FileTicket, Message, TicketDraft, TicketState
from dialog.knowledge import Knowledge
from dialog.manager import EmbeddedDialog
from dialog.passages import Passage

KNOWLEDGE = Path(__file__).parents[2] / "dialog" / "knowledge"
CARD = Passage("social-001", "社保卡丢了怎么补办？", "请带身份证到银行补办。", ("补办社保卡要带什么",))
HEATING = Passage("heating-001", "暖气不热怎么办？", "请先放气，再拨打热线报修。", ("家里暖气片是凉的",))
RENT = Passage("fund-001", "租房怎么提取公积金？", "租房每年可以提一次。", ("公积金付房租",))
BUY = Passage("fund-002", "买房怎么提取公积金？", "买房凭合同提取。", ("公积金付首付",))
FILED = TicketState("25112000001", "路灯不亮", "处理中", "市住房和城乡建设局", "2025-11-20T08:00:00Z", "王芳")


class Tickets:
    """One filed work order, of one caller."""

    async def by_number(self, number: str) -> TicketState | None:
        return FILED if number == FILED.number else None

    async def by_caller(self, caller: str) -> Sequence[TicketState]:
        return [FILED] if caller == "13800138000" else []

    async def open_like(self, draft: TicketDraft) -> TicketState | None:
        return None


DIALOG = EmbeddedDialog(Knowledge([CARD, HEATING, RENT, BUY], lambda: date(2025, 11, 21)), Tickets())


@dataclass
class Call:
    """A session in small: keeps the history and performs what the dialog decides."""

    caller: str = "13800138000"
    number: str = "25112100007"
    history: list[Message] = field(default_factory=list)
    basis: Basis = field(default_factory=lambda: Basis(0.0))
    action: object = None
    filed: FileTicket | None = None
    dialog: EmbeddedDialog = DIALOG
    handed_back: bool = False

    async def hears(self, text: str, asr: float = 1.0) -> str:
        """What the agent says to `text`, also after filing a work order."""
        context = CallContext("call-1", self.caller, handed_back=self.handed_back)
        if not self.history:
            self.history.append(Message("agent", self.dialog.greeting(context)))
        self.history.append(Message("caller", text, asr))
        said = ""
        while True:
            items = [item async for item in self.dialog.reply(context, self.history)]
            assert isinstance(items[0], Basis)
            assert 0.0 <= items[0].confidence <= 1.0
            self.basis, reply = items[0], "".join(item for item in items if isinstance(item, str))
            self.action = items[-1] if not isinstance(items[-1], str) else None
            self.history.append(Message("agent", reply, memory=self.basis.memory))
            said += reply
            if not isinstance(self.action, FileTicket):
                return said
            self.filed = self.action
            self.history.append(Message("result", self.number))
