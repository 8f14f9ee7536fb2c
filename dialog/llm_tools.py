"""What a model's tool calls may do, judged by the state of the call and not by what the model says.

A transfer is always honoured. A work order is filed only after the caller has said yes to a read-back that
holds all of it, a call ended only after the caller took leave, a work order told only to who filed it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dialog import CallContext, Message, Summary, TicketLookup, Transfer, phrases
from dialog.intake import SLOTS, Intake
from dialog.intents import Intent, control_intent, is_farewell, polarity
from dialog.llm_speech import Unfit
from dialog.llm_stream import ToolCall
from dialog.masking import Masks
from dialog.summary import unsaid
from dialog.words import clean, digits_in

LOOKUPS = frozenset({"search_knowledge", "ticket_status"})
ACTIONS = ("transfer", "file_ticket", "guide_service", "end_call")  # of several the first of these is done
MAX_CHARS = 400  # of one argument
MIN_PHONE_DIGITS = 7
_NO_MORE = re.compile(
    "没有?什?么?(?:别的|其他|其它)(?:的)?(?:事|问题|要问|需要)?|没(?:有)?(?:事|问题)(?:情)?了"
)
_THIS_NUMBER = ("这个号码", "来电号码", "本机号码", "当前号码")
_NOT_TOLD = {"结果": "不能告诉来电人：编号或来电号码与登记的不一致，请转人工核实"}


def chosen_action(calls: Sequence[ToolCall]) -> ToolCall | None:
    """The call whose action is done; raises Unfit for a tool that there is none of."""
    if any(call.name not in LOOKUPS and call.name not in ACTIONS for call in calls):
        raise Unfit("unknown tool")
    actions = sorted((c for c in calls if c.name in ACTIONS), key=lambda call: ACTIONS.index(call.name))
    return actions[0] if actions else None


def text_arguments(call: ToolCall, masks: Masks) -> Mapping[str, str]:
    """The arguments as texts, private parts put back; raises Unfit where they are anything else."""
    if call.arguments is None:
        raise Unfit("arguments that are not JSON")
    return {name: _text(value, masks) for name, value in call.arguments.items() if value is not None}


def _text(value: Any, masks: Masks) -> str:
    if isinstance(value, (dict, list, bool)) or len(str(value)) > MAX_CHARS:
        raise Unfit("arguments of a wrong type")
    if masks.unknown(str(value)):
        raise Unfit("unknown mark")
    return masks.restore(str(value)).strip()


def transfer(call: ToolCall, masks: Masks, summary: Summary, said: Sequence[str]) -> tuple[Transfer, str]:
    """The transfer, honoured even where its arguments are in disorder, and words to go with it.

    A request with something that was not `said` in the call is left out: the caller's own words stand there.
    """
    try:
        arguments = text_arguments(call, masks)
    except Unfit:
        arguments = {}
    request = arguments.get("request", "")
    if not request or unsaid(request, said):
        request = summary.request
    summary = replace(summary, request=request)
    if arguments.get("reason") == "caller_asked":
        return Transfer("caller_asked", summary), phrases.TO_HUMAN
    points = (f"未答复：{request}",) if request else ()
    return Transfer("low_confidence", replace(summary, open_points=points)), phrases.NO_ANSWER_TRANSFER


def intake_of(call: ToolCall, masks: Masks) -> Intake:
    """What the model took down, waiting for the caller's yes; raises Unfit where there is no matter."""
    arguments = text_arguments(call, masks)
    if len(clean(arguments.get("matter", ""))) < 2:
        raise Unfit("work order without a matter")
    contact = digits_in(arguments.get("contact", ""), by_sound=False)
    return Intake(
        matter=arguments["matter"],
        place=arguments.get("place", ""),
        time=arguments.get("time", ""),
        name=arguments.get("name", ""),
        contact=contact if len(contact) >= MIN_PHONE_DIGITS else "",
        asking="confirm",
        done=frozenset(SLOTS),
    )


def is_confirmed(intake: Intake, call: CallContext, history: Sequence[Message]) -> bool:
    """Whether the caller's last words are a yes to the agent's last, which read all of `intake` back."""
    if len(history) < 2 or history[-1].who != "caller" or polarity(history[-1].said) is not True:
        return False
    read_back = history[-2]
    if read_back.who != "agent":
        return False
    heard, number = clean(read_back.said), digits_in(read_back.said.replace("，", ""), by_sound=False)
    told = (intake.matter, intake.place, intake.time, intake.name)
    same = bool(call.caller) and intake.contact == call.caller and any(w in heard for w in _THIS_NUMBER)
    return all(clean(part) in heard for part in told) and (
        not intake.contact or same or intake.contact in number
    )


def may_end(history: Sequence[Message], *, asked_more: bool) -> bool:
    """Whether the caller took leave; 没有 and 不用了 only where they answer whether there is more."""
    said = history[-1].said if history else ""
    if is_farewell(said):
        return True
    last = next((m.text for m in reversed(history[:-1]) if m.who == "agent" and m.text), "")
    more = asked_more or "还有" in last or "别的" in last or not last.rstrip("。").endswith(("？", "?", "吗"))
    return more and (control_intent(said) in (Intent.GOODBYE, Intent.NO) or bool(_NO_MORE.search(said)))


async def ticket_status(number: str, call: CallContext, tickets: TicketLookup) -> Mapping[str, str]:
    """What a model is told of a work order: nothing unless it was filed from the telephone calling now."""
    digits = digits_in(number, by_sound=False)
    state = await tickets.by_number(digits) if digits and call.caller else None
    mine = await tickets.by_caller(call.caller) if state else ()
    if not state or all(other.number != state.number for other in mine):
        return _NOT_TOLD
    return {"编号": state.number, "事项": state.title, "状态": state.status, "部门": state.department}
