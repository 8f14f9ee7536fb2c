"""Where a work order stands: found by its number or by the number called from, told in one sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dialog import TicketLookup, TicketState, phrases
from dialog.intents import Intent
from dialog.talk import Answer, Turn, understood
from dialog.words import digits_in, spoken_count

TICKET_DIGITS = 11  # of a work order's number: the day and a running number
MIN_TICKET_DIGITS = 4


async def progress(tickets: TicketLookup, turn: Turn, intent: Intent | None) -> Answer | None:
    """The reply to a question for a work order, or to the number asked for; None after two vain tries."""
    talk = turn.talk
    awaited = talk.awaiting == "ticket_number"
    digits = digits_in(turn.text, by_sound=awaited)
    if len(digits) >= MIN_TICKET_DIGITS:
        state = await tickets.by_number(digits)
        return _told(turn, state, others=0) if state else _ask_again(turn, phrases.TICKET_NOT_FOUND)
    if awaited and intent in (Intent.GOODBYE, Intent.NO):
        return Answer(phrases.ANYTHING_ELSE, understood(talk, awaiting="more"), turn.heard)
    if awaited and intent is not Intent.PROGRESS:
        return _ask_again(turn, phrases.ASK_TICKET_NUMBER)
    states = await tickets.by_caller(turn.call.caller) if turn.call.caller else ()
    if states:
        return _told(turn, states[0], others=len(states) - 1)
    ask = phrases.NO_TICKETS_OF_CALLER if turn.call.caller else phrases.ASK_TICKET_NUMBER
    return Answer(ask, understood(talk, awaiting="ticket_number"), turn.heard)


def _ask_again(turn: Turn, ask: str) -> Answer | None:
    if turn.talk.misses:
        return None
    return Answer(ask, replace(understood(turn.talk, awaiting="ticket_number"), misses=1), turn.heard)


def _told(turn: Turn, state: TicketState, *, others: int) -> Answer:
    filed = datetime.fromisoformat(state.filed_at.replace("Z", "+00:00"))
    day = f"{spoken_count(filed.month)}月{spoken_count(filed.day)}日"
    text = (
        f"{phrases.FOUND}您{day}反映的{state.title}，现在的状态是{state.status}，由{state.department}办理。"
    )
    if others:
        text += f"您名下还有另外{spoken_count(min(others, 99))}个工单，需要查询请说工单编号。"
    answered = (*turn.talk.answered, f"工单{state.number}的进度")
    talk = understood(turn.talk, awaiting="more", answered=answered)
    return Answer(text + phrases.ANYTHING_ELSE, talk, turn.heard)
