"""What a seat is told of forty scripted calls: every slot that was filled, and nothing that was not said."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr.written import Writer
from dialog import Basis, CallContext, Message, Summary, Transfer
from dialog.intake import Clerk, Intake
from dialog.knowledge import Knowledge
from dialog.manager import EmbeddedDialog
from dialog.places import load_gazetteer, load_taxonomy
from dialog.summary import unsaid
from dialog.talk import Talk
from dialog.words import strip_fillers
from hotline.intake_calls import Caller, Script, load_scripts
from tests.unit.conversation import Tickets

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

CALLS = Path(__file__).parents[1] / "data" / "intake" / "calls_dev.jsonl"
DIALOG = EmbeddedDialog(
    Knowledge(),
    Tickets(),
    clerk=Clerk(load_gazetteer(), load_taxonomy(), Writer(load_gazetteer().names).write),
)
TURNS = 4  # of the caller's, before a person is asked for


async def handed_over(script: Script) -> tuple[Summary, Intake | None, list[str]]:
    """The call until the caller asks for a person: the summary, what had been taken down, what was said."""
    call, caller = CallContext(script.id, script.caller), Caller(script)
    history: list[Message] = []
    intake, words = None, script.says[0]
    for turn in range(TURNS + 1):
        if turn == TURNS:
            words = "转人工"
        history.append(Message("caller", words))
        basis, text = Basis(0.0), ""
        async for item in DIALOG.reply(call, history):
            if isinstance(item, Basis):
                basis = item
            elif isinstance(item, str):
                text += item
            elif isinstance(item, Transfer):
                said = [m.text for m in history if m.who == "caller"]
                return item.summary, intake, said
        history.append(Message("agent", text, memory=basis.memory))
        assert isinstance(basis.memory, Talk)
        intake, words = basis.memory.intake, caller.answers(basis)
    raise AssertionError("nobody was handed over")


@pytest.mark.parametrize("script", load_scripts(CALLS)[:40], ids=lambda script: script.id)
async def test_the_summary_holds_what_was_said_and_nothing_else(script: Script) -> None:
    summary, intake, said = await handed_over(script)
    assert intake is not None
    write = DIALOG.clerk.write
    for slot, field in (("matter", summary.request), ("place", summary.place), ("time", summary.time)):
        held = getattr(intake, slot)
        assert not held or write(strip_fillers(held)) in field, slot
    assert intake.name in summary.caller
    assert intake.contact in summary.caller
    # The number called from was not said, but is known.
    facts = [summary.request, summary.place, summary.time, summary.caller.replace(script.caller, "")]
    assert [fact for fact in facts if fact and unsaid(fact, said)] == []
