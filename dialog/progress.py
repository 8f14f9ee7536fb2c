"""Where a work order stands: told to whoever knows its number, or the name it was filed under."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dialog import TicketLookup, TicketState, phrases
from dialog.intents import Intent
from dialog.talk import Answer, Turn, understood
from dialog.words import clean, digits_in, sounds, spoken_count

TICKET_DIGITS = 11  # of a work order's number: the day and a running number
MIN_TICKET_DIGITS = 4


async def progress(tickets: TicketLookup, turn: Turn, intent: Intent | None) -> Answer | None:
    """The reply to a question for a work order, to its number or a name; None after two vain tries.

    Anybody may be calling from a number: what was filed from it is told only to who knows under which name.
    """
    talk = turn.talk
    awaited = talk.awaiting == "ticket_number"
    digits = digits_in(turn.text, by_sound=awaited)
    if len(digits) >= MIN_TICKET_DIGITS:
        state = await tickets.by_number(digits)
        return _told(turn, state, others=0) if state else _ask_again(turn, phrases.TICKET_NOT_FOUND)
    if talk.awaiting in ("ticket_number", "ticket_name") and intent in (Intent.GOODBYE, Intent.NO):
        return Answer("courtesy", phrases.ANYTHING_ELSE, understood(talk, awaiting="more"), turn.heard)
    states = await tickets.by_caller(turn.call.caller) if turn.call.caller else ()
    if talk.awaiting == "ticket_name":
        mine = [state for state in states if _is_named(turn.text, state)]
        if mine:
            return _told(turn, mine[0], others=len(mine) - 1)
        return _asked(turn, phrases.NAME_NOT_RIGHT, "ticket_number")
    if awaited and intent is not Intent.PROGRESS:
        return _ask_again(turn, phrases.ASK_TICKET_NUMBER)
    if any(state.name for state in states):
        return _asked(turn, phrases.ASK_TICKET_NAME, "ticket_name")
    if states or not turn.call.caller:
        return _asked(turn, phrases.ASK_TICKET_NUMBER, "ticket_number")
    return _asked(turn, phrases.NO_TICKETS_OF_CALLER, "ticket_number")


def _is_named(said: str, state: TicketState) -> bool:
    """Whether the name the work order was filed under, or its surname, was said, by its sound."""
    heard, name = sounds(clean(said)), sounds(state.name)
    return bool(name) and name[0] in heard


def _asked(turn: Turn, ask: str, awaiting: str) -> Answer:
    return Answer("progress", ask, understood(turn.talk, awaiting=awaiting), turn.heard)


def _ask_again(turn: Turn, ask: str) -> Answer | None:
    if turn.talk.misses:
        return None
    talk = replace(understood(turn.talk, awaiting="ticket_number"), misses=1)
    return Answer("progress", ask, talk, turn.heard)


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
    return Answer("progress", text + phrases.ANYTHING_ELSE, talk, turn.heard, why="told")
