"""One call, from answer to goodbye: `run_call()`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import anyio
import structlog

from dialog import CallContext, phrases
from tts import TtsError
from voice.conversation import Conversation
from voice.events import CallAnswered, CallEnded, CallStarted
from voice.kit import Kit
from voice.phone import Leg, LegGone
from voice.recorder import CallRecorder

log = structlog.get_logger()
BREAK_OFF_S = 10.0  # for the last words of a call that went wrong


async def run_call(leg: Leg, kit: Kit, placed: Mapping[str, Any] | None = None) -> Conversation:
    """Answer, talk, perhaps transfer, and leave a complete record; returns when the leg is gone.

    With `placed`, the detail of its event, it is a call that we placed and the other side has answered.
    """
    call = CallContext(leg.call_id, leg.remote)
    file, name = kit.open_recording(call.call_id)
    caller, callee = (leg.remote, leg.local) if placed is None else (leg.local, leg.remote)
    kit.journal.emit(CallStarted(call.call_id, caller, callee, _now(), name))
    recorder = kit.recorders[call.call_id] = CallRecorder(leg, file, kit.journal)
    talk = Conversation(leg, kit, call, recorder)
    end_reason = "failed"
    try:
        if placed is None:
            await leg.answer()
        else:
            talk.happened("callback", placed)
        kit.journal.emit(CallAnswered(call.call_id, _now()))
        await talk.converse()
        end_reason = talk.end_reason
        await leg.hangup()
        await leg.gone()
    except LegGone:
        end_reason = "caller_hangup"
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            stayed = await _last_words(talk, phrases.SHUTDOWN_GOODBYE)
        end_reason = talk.end_reason
        if stayed:
            end_reason = "shutdown"
            talk.happened("failed", {"stage": "shutdown"})
        raise
    except Exception as error:
        log.error("call_failed", call_id=call.call_id, exc_info=error)
        talk.happened("failed", {"stage": "session", "error": type(error).__name__})
        await _last_words(talk, phrases.PROBLEM_GOODBYE)
    finally:
        with anyio.CancelScope(shield=True):
            if end_reason == "caller_hangup" and await leg.gone() == "media_timeout":
                end_reason = "media_timeout"
            await leg.hangup()
            talk.close()
            del kit.recorders[call.call_id]
            file.close()
            talk.tell_line("caller", leg.line())
            kit.journal.emit(CallEnded(call.call_id, _now(), end_reason, talk.outcome, talk.satisfaction))
            await kit.journal.durable()
    return talk


async def _last_words(talk: Conversation, text: str) -> bool:
    """Say them; whether the caller stayed on the line for them."""
    try:
        with suppress(TtsError), anyio.move_on_after(BREAK_OFF_S):
            await talk.tell(text)
    except LegGone:
        return False
    return True


def _now() -> datetime:
    return datetime.now(timezone.utc)
