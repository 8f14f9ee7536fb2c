"""Somebody at home who is called back: a telephone of its own process, which picks up and says some words.

Run as `python -m tests.sip.person WORDS RECORDING`; it prints one JSON object a line: ready, ringing, said,
over.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from hotline.caller import Line
from hotline.speech import synthesise
from tts.cache import CachedVoice
from tts.espeak_voice import EspeakVoice
from voice.phone import LegGone
from voice.sip import SipConfig, SipEndpoint, SipLeg

GREETING_TIMEOUT_S = 30.0


def _tell(event: str, **detail: Any) -> None:
    print(json.dumps({"event": event, **detail}), flush=True)  # noqa: T201 - read by the test


async def _pick_up(leg: SipLeg, words: bytes, recording: Path) -> None:
    _tell("ringing", called=leg.local)
    await leg.answer()
    line = Line(leg, recording)
    try:
        await line.agent_speaks(GREETING_TIMEOUT_S)
        await line.agent_is_quiet(GREETING_TIMEOUT_S)
        await leg.play(words)
        await leg.drained()
        _tell("said")
        await leg.gone()
    except LegGone:
        _tell("left")
    finally:
        await anyio.to_thread.run_sync(line.close)
        _tell("over")


async def _serve(words: str, recording: Path) -> None:
    send, incoming = anyio.create_memory_object_stream[SipLeg](10)
    voice = CachedVoice(EspeakVoice("f5"), None)
    spoken = await synthesise(voice, words)
    endpoint = SipEndpoint(
        SipConfig(host="127.0.0.1", port=0, transports=("udp",), rtp_port=0), on_call=send.send_nowait
    )
    await endpoint.start()
    _tell("ready", uri=f"sip:127.0.0.1:{endpoint.port}")
    try:
        await _pick_up(await incoming.receive(), spoken, recording)
    finally:
        with anyio.CancelScope(shield=True):
            await endpoint.stop()


if __name__ == "__main__":
    anyio.run(_serve, sys.argv[1], Path(sys.argv[2]))
