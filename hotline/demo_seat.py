"""The demo's seat: a telephone of its own process that takes transfers, as a person would.

Run as `python -m hotline.demo_seat`; it prints one JSON object a line: ready, ringing, told (the whispered
summary was heard), talking, over.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio

from hotline.caller import Line
from hotline.speech import synthesise
from tts.cache import CachedVoice
from tts.espeak_voice import EspeakVoice
from voice.phone import LegGone
from voice.sip import SipConfig, SipEndpoint, SipLeg

VOICE = "m3"  # neither the agent's nor the demo caller's
HELLO = "您好，我是人工坐席小李，您的情况我已经看到了，我来帮您办理。"
GOODBYE = "好的，稍后我把办理方法告诉您，再见。"
RING_S = 1.0
SUMMARY_TIMEOUT_S = 40.0
CALLER_TIMEOUT_S = 10.0


def _tell(event: str, **detail: Any) -> None:
    print(json.dumps({"event": event, **detail}), flush=True)  # noqa: T201 - read by the demo


async def _take(leg: SipLeg, hello: bytes, goodbye: bytes) -> None:
    """Ring, answer, hear the summary, press 1, talk to the caller, hang up."""
    _tell("ringing", call_id=leg.remote)
    await anyio.sleep(RING_S)
    await leg.answer()
    line = Line(leg, None)
    async with anyio.create_task_group() as tasks:

        async def stop_when_gone() -> None:
            await leg.gone()
            tasks.cancel_scope.cancel()

        tasks.start_soon(stop_when_gone)
        await line.agent_speaks(SUMMARY_TIMEOUT_S)
        began_s = line.clock_s
        await line.agent_is_quiet(SUMMARY_TIMEOUT_S)
        _tell("told", seconds=round(line.last_sound_s - began_s, 1))
        await leg.send_dtmf("1")
        await anyio.sleep(0.3)
        await leg.play(hello)
        await leg.drained()
        line.forget()
        heard = await line.agent_speaks(CALLER_TIMEOUT_S)
        await line.agent_is_quiet(CALLER_TIMEOUT_S)
        _tell("talking", heard_caller=heard)
        await leg.play(goodbye)
        await leg.drained()
        await leg.hangup()
    _tell("over")


async def _serve(port: int) -> None:
    send, incoming = anyio.create_memory_object_stream[SipLeg](10)
    voice = CachedVoice(EspeakVoice(VOICE), None)
    hello, goodbye = [await synthesise(voice, text) for text in (HELLO, GOODBYE)]
    endpoint = SipEndpoint(
        SipConfig(host="127.0.0.1", port=port, transports=("udp",), rtp_port=0, user="8001"),
        on_call=send.send_nowait,
    )
    await endpoint.start()
    _tell("ready", uri=f"sip:8001@127.0.0.1:{endpoint.port}")
    try:
        async for leg in incoming:
            try:
                await _take(leg, hello, goodbye)
            except LegGone:
                _tell("over")
    finally:
        with anyio.CancelScope(shield=True):
            await endpoint.stop()


if __name__ == "__main__":
    try:
        anyio.run(_serve, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    except KeyboardInterrupt:
        sys.exit(0)
