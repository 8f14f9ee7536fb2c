"""Whole calls in virtual time: what breaks in the middle of a call, and what the caller hears of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import anyio
import pytest

from dialog import Action, Basis, CallContext, DialogError, EndCall, Message, Summary, phrases
from tests.sim.fakes import ScriptedVoice
from tests.sim.lines import SeatScript
from tests.sim.scenario import ANSWER, GREETING, Scenario, hold
from tests.sim.steps import (
    agent,
    agent_begins,
    agent_was_stopped,
    caller,
    hangs_up,
    happens,
    keys,
    music,
    node_stops,
    noise,
    silence,
)

pytestmark = [pytest.mark.sim]

QUESTION = "社保卡丢了怎么补办"
TALKS = "transfer_started seat_ringing seat_answered seat_accepted bridged unbridged"
SORRY_GOODBYE = phrases.PROBLEM_GOODBYE
CONNECTED = ("failure", "seat-1", "connected")
TRANSFERRED = ("transferred", "transferred")


class ScriptedDialog:
    """A dialog that says the given pieces, seconds apart, and breaks where the script says so."""

    def __init__(self, *script: str | float | Exception | Action) -> None:
        self._script = script

    def greeting(self, call: CallContext) -> str:
        return GREETING

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncGenerator[str | Basis | Action, None]:
        yield Basis(0.9)
        for item in self._script:
            if isinstance(item, float):
                await anyio.sleep(item)
            elif isinstance(item, Exception):
                raise item
            else:
                yield item

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        return Summary(request="有事")


class BrokenDialog(ScriptedDialog):
    """Cannot even sum up what was said."""

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        raise RuntimeError("scripted")


RECOGNISER = [
    Scenario(
        "the recogniser breaks now and then: an apology, and the call goes on",
        [
            agent(GREETING),
            caller(QUESTION, breaks_asr_at_s=1.8),
            agent(phrases.PROBLEM_RETRY, within_ms=800),
            caller(QUESTION),
            agent(ANSWER, within_ms=800),
            caller("没有了谢谢", breaks_asr_at_s=0.8),
            agent(phrases.PROBLEM_RETRY, within_ms=800),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            agent  {phrases.PROBLEM_RETRY}
            caller {QUESTION}
            agent  {ANSWER}
            agent  {phrases.PROBLEM_RETRY}
        """,
        events="failed failed",
    ),
    Scenario(
        "the recogniser breaks twice in a row: a person",
        [
            agent(GREETING),
            caller(QUESTION, breaks_asr_at_s=1.8),
            agent(phrases.PROBLEM_RETRY, within_ms=800),
            caller(QUESTION, breaks_asr_at_s=1.8),
            agent(phrases.PROBLEM, within_ms=800),
            happens("bridged"),
            hangs_up(),
        ],
        end=TRANSFERRED,
        turns=f"""
            agent  {GREETING}
            agent  {phrases.PROBLEM_RETRY}
            agent  {phrases.PROBLEM}
        """,
        events=f"failed failed {TALKS}",
        transfer=CONNECTED,
        seats=[SeatScript()],
    ),
    Scenario(
        "the recogniser breaks while the caller still speaks: the apology waits",
        [
            agent(GREETING),
            caller(QUESTION, lasts_s=4.0, breaks_asr_at_s=0.3),
            agent(phrases.PROBLEM_RETRY, within_ms=800),
            hangs_up(),
        ],
        end=("caller_hangup", "abandoned"),
        turns=f"""
            agent  {GREETING}
            agent  {phrases.PROBLEM_RETRY}
        """,
        events="failed",
    ),
    Scenario(
        "the recogniser breaks over a 嗯: the agent speaks on",
        [
            agent(GREETING),
            caller(QUESTION),
            agent_begins("请您带上身份证，"),
            caller("嗯", lasts_s=0.4, breaks_asr_at_s=0.2),
            agent(ANSWER.removeprefix("请您带上身份证，")),
            hangs_up(),
        ],
        end=("caller_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {ANSWER}
        """,
        events="failed",
    ),
]

VOICE = [
    Scenario(
        "the voice is dead: a person takes the call though nothing can be said",
        [music(1.0), happens("bridged"), hangs_up()],
        end=TRANSFERRED,
        events="failed failed " + TALKS.replace("seat_accepted", "failed failed seat_accepted"),
        transfer=CONNECTED,
        seats=[SeatScript()],
        voice=ScriptedVoice(fails=lambda text: True),
    ),
    Scenario(
        "the voice is dead and nobody is free: a call-back is filed",
        [],
        end=("agent_hangup", "ticket"),
        events="failed failed transfer_started failed",
        transfer=("failure", "", "no_seat"),
        tickets=1,
        voice=ScriptedVoice(fails=lambda text: True),
    ),
    Scenario(
        "the voice breaks at one clause: an apology and a person",
        [
            agent(GREETING),
            caller(QUESTION),
            agent("请您带上身份证，"),
            agent(phrases.PROBLEM, within_ms=300),
            happens("bridged"),
            hangs_up(),
        ],
        end=TRANSFERRED,
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您带上身份证，✂
            agent  {phrases.PROBLEM}
        """,
        events=f"failed {TALKS}",
        transfer=CONNECTED,
        seats=[SeatScript()],
        voice=ScriptedVoice(fails=lambda text: "到任意一家" in text),
    ),
]

DIALOG = [
    Scenario(
        "the dialog breaks: an apology and a person",
        [
            agent(GREETING),
            caller(QUESTION),
            agent(phrases.PROBLEM, within_ms=800),
            happens("bridged"),
            hangs_up(),
        ],
        end=TRANSFERRED,
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  {phrases.PROBLEM}
        """,
        events=f"failed {TALKS}",
        transfer=CONNECTED,
        seats=[SeatScript()],
        dialog=ScriptedDialog(DialogError("scripted")),
    ),
    Scenario(
        "the dialog breaks in the middle: what it said is heard, then an apology and a person",
        [
            agent(GREETING),
            caller(QUESTION),
            agent("请您先去银行，"),
            agent(phrases.PROBLEM),
            happens("bridged"),
            hangs_up(),
        ],
        end=TRANSFERRED,
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您先去银行，
            agent  {phrases.PROBLEM}
        """,
        events=f"failed {TALKS}",
        transfer=CONNECTED,
        seats=[SeatScript()],
        dialog=ScriptedDialog("请您先去银行，", 0.3, RuntimeError("scripted")),
    ),
    Scenario(
        "a noise while the model still streams: nothing of the answer is lost",
        [
            agent(GREETING),
            caller(QUESTION, partials=False),
            agent_begins("请您先去银行，"),
            noise(1.4, after_s=0.3),
            agent_was_stopped(within_ms=900),
            agent("请您先去银行，再去窗口补办，谢谢您的来电再见。", within_ms=3000),
        ],
        end=("agent_hangup", "answered"),
        turns=f"""
            agent  {GREETING}
            caller {QUESTION}
            agent  请您✂
            agent  请您先去银行，再去窗口补办，谢谢您的来电再见。
        """,
        events="barge_in resumed",
        dialog=ScriptedDialog("请您先去银行，", 2.0, "再去窗口", 0.5, "补办，谢谢您的来电再见。", EndCall()),
    ),
    Scenario(
        "a bug in the program ends in words",
        [
            agent(GREETING),
            keys("1#"),
            agent_begins("请您先去银行，"),
            keys("0"),
            agent(phrases.PROBLEM_GOODBYE),
        ],
        end=("failed", "answered"),
        turns=f"""
            agent  {GREETING}
            caller 1
            agent  请您先✂
            agent  {SORRY_GOODBYE}
        """,
        events="dtmf dtmf failed",
        dialog=BrokenDialog("请您先去银行，"),
        crashes=True,
    ),
    Scenario(
        "a call that does not end is given to a person",
        [
            agent(GREETING),
            agent(phrases.NO_INPUT_FIRST, within_ms=6200),
            agent(phrases.TIME_UP, within_ms=6200),
            happens("bridged"),
            silence(30.0),
            hangs_up(),
        ],
        end=TRANSFERRED,
        turns=f"""
            agent  {GREETING}
            agent  {phrases.NO_INPUT_FIRST}
            agent  {phrases.TIME_UP}
        """,
        events=f"no_input time_up {TALKS}",
        transfer=CONNECTED,
        seats=[SeatScript()],
        max_call_s=18.0,
    ),
]

NODE = [
    Scenario(
        "the node stops in mid-call: a goodbye",
        [agent(GREETING), node_stops(), agent(phrases.SHUTDOWN_GOODBYE)],
        end=("shutdown", "abandoned"),
        turns=f"""
            agent  {GREETING}
            agent  {phrases.SHUTDOWN_GOODBYE}
        """,
        events="failed",
    ),
    Scenario(
        "who hangs up as the node stops has hung up",
        [agent(GREETING), node_stops(hanging_up=True)],
        end=("caller_hangup", "abandoned"),
        turns=f"""
            agent  {GREETING}
            agent  ✂
        """,
    ),
]


@pytest.mark.parametrize("scenario", [*RECOGNISER, *VOICE, *DIALOG, *NODE], ids=str)
def test_call(scenario: Scenario) -> None:
    hold(scenario)
