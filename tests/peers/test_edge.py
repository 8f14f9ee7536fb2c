"""The edge voice: the real client package against a scripted service on loopback."""

from __future__ import annotations

import anyio
import edge_tts.communicate
import numpy as np
import pytest
from edge_tts.drm import DRM

from tests.peers.edge_server import FRAME_S, FRAMES_PER_CHARACTER, EdgeServer, Fault, line_of
from tts import VoiceFailed, VoiceMissing
from tts.cache import CachedVoice
from tts.edge_voice import EdgeVoice
from tts.espeak_voice import EspeakVoice
from tts.fallback import FallbackVoice

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

TEXT = "请带身份证到网点办理"
SPEECH_S = len(TEXT) * FRAMES_PER_CHARACTER * FRAME_S


@pytest.fixture(autouse=True)
def no_clock_skew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package remembers the service's clock; and loopback needs no proxy."""
    monkeypatch.setattr(DRM, "clock_skew_seconds", 0.0)
    for name in ("http_proxy", "https_proxy", "ws_proxy", "wss_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(edge_tts.communicate, "WSS_URL", url)


def voice(**changes: float) -> EdgeVoice:
    times = {"connect_timeout_s": 1.0, "first_byte_timeout_s": 0.5, "idle_timeout_s": 0.3, **changes}
    return EdgeVoice("zh-CN-XiaoxiaoNeural", **times)  # type: ignore[arg-type]


async def heard(engine: EdgeVoice, text: str = TEXT, rate: float = 1.0) -> np.ndarray:
    return np.frombuffer(b"".join([chunk async for chunk in engine.speak(text, rate=rate)]), np.int16)


def melody(audio: np.ndarray, sample_rate: int) -> list[int]:
    """The spectral line of the tone in each character's time."""
    size = int(FRAMES_PER_CHARACTER * FRAME_S * sample_rate)
    middle = [audio[at + size // 4 : at + size * 3 // 4] for at in range(0, len(audio) - size // 2, size)]
    peaks = [np.abs(np.fft.rfft(part.astype(float), sample_rate)).argmax() for part in middle]
    return [round(float(hz) * 576 / 12000 - 0.5) for hz in peaks]


async def test_all_of_it_arrives_in_order_without_the_silence_around_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with EdgeServer() as server:
        point_at(monkeypatch, server.url)
        audio = await heard(voice())
    assert len(audio) / 24000 == pytest.approx(SPEECH_S + 0.13, abs=0.06)
    assert np.argmax(np.abs(audio) > 1000) < 0.06 * 24000
    lead = int(np.argmax(np.abs(audio) > 1000))
    assert melody(audio[lead:], 24000)[: len(TEXT)] == pytest.approx(
        [line_of(at) for at in range(len(TEXT))], abs=1
    )


async def test_the_service_is_asked_for_spoken_words_voice_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EdgeServer() as server:
        point_at(monkeypatch, server.url)
        await heard(voice(), "拨打12345 & <转>人工", rate=0.8)
    (request,) = server.requests
    assert request.text == "拨打幺二三四五和<转>人工"
    assert "XiaoxiaoNeural" in request.voice
    assert request.rate == "-20%"
    assert request.output_format == "audio-24khz-48kbitrate-mono-mp3"


async def test_sound_comes_before_the_service_has_sent_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EdgeServer("stall") as server:
        point_at(monkeypatch, server.url)
        got: list[bytes] = []

        async def listen() -> None:
            async for chunk in voice().speak(TEXT):
                got.append(chunk)

        with pytest.raises(VoiceFailed, match="too slow"):
            await listen()
    assert sum(map(len, got)) / 2 / 24000 > 0.3 * SPEECH_S
    assert server.connections == 1


async def test_a_slow_but_steady_stream_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EdgeServer("dribble") as server:
        point_at(monkeypatch, server.url)
        audio = await heard(voice())
    assert len(audio) / 24000 == pytest.approx(SPEECH_S + 0.13, abs=0.06)


@pytest.mark.parametrize(
    ("faults", "connections"),
    [(["503"], 2), (["403"], 2), (["403", "403"], 3), (["no_audio"], 2), (["garbage"], 2)],
)
async def test_one_refusal_is_got_over(
    monkeypatch: pytest.MonkeyPatch, faults: list[Fault], connections: int
) -> None:
    async with EdgeServer(*faults) as server:
        point_at(monkeypatch, server.url)
        assert len(await heard(voice())) > 24000
    assert server.connections == connections


@pytest.mark.parametrize(
    ("fault", "connections", "message"),
    [
        ("503", 2, "refused with HTTP 503"),
        ("403", 4, "refused with HTTP 403"),
        ("no_audio", 2, "sent no audio"),
        ("garbage", 2, "no audio|not a decodable MP3"),
        ("silent", 1, "too slow"),
        ("disconnect", 1, "lost in mid-sentence"),
    ],
)
async def test_what_lasts_is_told_clearly(
    monkeypatch: pytest.MonkeyPatch, fault: Fault, connections: int, message: str
) -> None:
    async with EdgeServer(*[fault] * 9) as server:
        point_at(monkeypatch, server.url)
        with pytest.raises(VoiceFailed, match=f"edge-tts: .*({message})") as failure:
            await heard(voice())
    assert failure.value.retryable
    assert TEXT not in str(failure.value)
    assert server.connections == connections


async def test_a_service_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EdgeServer() as server:
        point_at(monkeypatch, server.url)
    with pytest.raises(VoiceFailed, match="cannot be reached"):
        await heard(voice())


async def test_a_caller_who_hangs_up_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EdgeServer("stall") as server:
        point_at(monkeypatch, server.url)
        with anyio.move_on_after(0.2) as scope:
            await heard(voice(idle_timeout_s=30.0))
        assert scope.cancelled_caught


async def test_the_local_voice_takes_over_and_the_dead_service_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with EdgeServer(*["silent"] * 9) as server:
        point_at(monkeypatch, server.url)
        chain = FallbackVoice([CachedVoice(voice(first_byte_timeout_s=0.1)), CachedVoice(EspeakVoice())])
        for _ in range(4):
            audio = b"".join([chunk async for chunk in chain.speak(TEXT)])
            assert len(audio) > 16000
    assert server.connections == 2


def test_an_impossible_name_is_refused() -> None:
    with pytest.raises(VoiceMissing, match="zh-CN-XiaoxiaoNeural"):
        EdgeVoice("xiaoxiao")
