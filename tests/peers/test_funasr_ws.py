"""Recognition by FunASR's servers: their protocol in all its dialects, faults, and a real model behind it."""

from __future__ import annotations

import inspect
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import anyio
import numpy as np
import pytest
import soxr

from asr import EngineFailed, ModelError, Recognizer, Transcript
from asr.fallback import FallbackRecognizer
from asr.funasr_ws import GRACE_S, WIRE_RATE, FunasrServerRecognizer
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN
from tests.peers.funasr_server import Fault, Flavour, FunasrServer
from tests.peers.test_vosk_ws import real
from tests.peers.vosk_server import Decoder, ScriptedDecoder
from tests.unit import test_asr_contract as contract
from tests.unit.espeak import synthesise
from tests.unit.test_asr_contract import SENTENCES

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

# The house's contract runs on the `recognizer` of this module, but for what counts tasks and
# memory, where the servers' own would count too, and what asks for real confidences.
NOT_HERE = ("cancelling", "five_hundred", "decoding_never", "text_is_right")
globals().update(
    {
        name: test
        for name, test in vars(contract).items()
        if name.startswith("test_")
        and "recognizer" in inspect.signature(test).parameters
        and not any(part in name for part in NOT_HERE)
    }
)

WORDS = "我想咨询出生证明"
AUDIO = bytes(2 * 8000 * 2)
BUSY_S = 30.0  # for tests in which nothing is to be given up, however busy the machine is
ALL: tuple[Flavour, ...] = ("cpp", "cpp-files", "python", "python-2024")


def scripted(rate: float) -> Decoder:
    return ScriptedDecoder([("我 想 咨询", 1.0), ("出生 证明", 1.5)], rate)


@pytest.fixture(params=[("cpp", False), ("cpp", True), ("python", True)], ids=["cpp", "cpp-reused", "python"])
async def recognizer(request: pytest.FixtureRequest) -> AsyncIterator[Recognizer]:
    flavour, reuse = request.param
    if flavour == "python" and any(part in request.node.name for part in ("times", "pause", "minute")):
        pytest.skip("the Python server counts times from the beginning of a segment")
    async with FunasrServer(decoder=real, flavour=flavour) as server:
        engine = over(server, reuse=reuse, reply_timeout_s=BUSY_S)
        yield engine
        await engine.aclose()


async def frames(pcm: bytes, frame: int = 320) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), frame):
        yield pcm[start : start + frame]


async def hear(engine: Recognizer, pcm: bytes = AUDIO) -> list[Transcript]:
    return [heard async for heard in engine.transcribe(frames(pcm))]


def over(*servers: FunasrServer, **settings: Any) -> FunasrServerRecognizer:
    settings = {"connect_timeout_s": 1.0, "reply_timeout_s": 1.0, **settings}
    return FunasrServerRecognizer([server.url for server in servers], **settings)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def test_the_protocol_is_spoken() -> None:
    async with FunasrServer(decoder=scripted) as server:
        await hear(over(server, hotwords=["社保卡", " 公积金 ", ""]))
        await until(lambda: server.open == 0)
    (utterance,) = server.utterances
    start = {**utterance.start}
    assert len(start.pop("wav_name")) == 32
    assert json.loads(start.pop("hotwords")) == {"社保卡": 20, "公积金": 20}
    assert start == {
        "mode": "2pass",
        "chunk_size": [5, 10, 5],
        "chunk_interval": 10,
        "encoder_chunk_look_back": 4,
        "decoder_chunk_look_back": 0,
        "wav_format": "pcm",
        "audio_fs": WIRE_RATE,
        "itn": False,
        "svs_itn": False,
        "is_speaking": True,
    }
    assert utterance.end == {"is_speaking": False, "is_end": True}
    assert set(utterance.messages) == {WIRE_RATE * 2 * 60 // 1000}, "the Python server counts 60 ms messages"
    assert len(utterance.audio) / 2 / WIRE_RATE == pytest.approx(len(AUDIO) / 2 / 8000, abs=0.06)


@pytest.mark.parametrize("rate", [8000, 16000])
async def test_the_audio_arrives_whole_and_unchanged_but_for_its_rate(rate: int) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype("<i2")
    async with FunasrServer(decoder=scripted) as server:
        engine = FunasrServerRecognizer([server.url], sample_rate=rate)
        _ = [item async for item in engine.transcribe(frames(tone.tobytes(), 333))]
    got = np.frombuffer(bytes(server.utterances[0].audio), "<i2")
    sent = tone if rate == WIRE_RATE else soxr.resample(tone, rate, WIRE_RATE)
    difference = got[: len(sent)].astype(int) - sent
    assert np.abs(difference).max() <= 2
    assert not got[len(sent) :].any()


@pytest.mark.parametrize("flavour", ALL)
@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("fault", ["none", "slow", "dribble", "disconnect_after_final"])
async def test_every_server_is_understood(flavour: Flavour, reuse: bool, fault: Fault) -> None:
    async with FunasrServer(*[fault] * 9, decoder=scripted, flavour=flavour) as server:
        engine = over(server, reuse=reuse)
        heard = [await hear(engine) for _ in range(3)]
        await engine.aclose()
    for items in heard:
        assert (items[-1].text, items[-1].confidence) == (WORDS, 0.75)
        assert [item.final for item in items].count(True) == 1
        shown = [item.text for item in items[:-1]]
        assert [text for text in shown if text != WORDS] == (
            [] if flavour == "cpp-files" else ["我", "我想", "我想咨询", "我想咨询出生"]
        )
    assert server.connections == (1 if reuse and fault != "disconnect_after_final" else 3)


@pytest.mark.parametrize("flavour", ALL)
@pytest.mark.parametrize("mode", ["2pass", "online", "offline"])
async def test_every_mode_of_every_server_also_behind_a_proxy(flavour: Flavour, mode: str) -> None:
    """A proxy puts its own name in the place of the server's: it is the replies that tell."""
    async with FunasrServer(decoder=scripted, flavour=flavour, hide_software=True) as server:
        engine = over(server, mode=mode)
        final = (await hear(engine))[-1]
        await engine.aclose()
    if (flavour, mode) == ("python-2024", "online"):
        assert final.text == "我想咨询出生", "that server drops what it has not guessed by the end"
    else:
        assert final.text == WORDS


async def test_times_are_told_where_the_server_tells_them() -> None:
    async with FunasrServer(decoder=scripted) as server:
        final = (await hear(over(server)))[-1]
    assert "".join(word.text for word in final.words) == WORDS
    assert final.words[0].start_s == 0
    assert final.words[4].start_s == pytest.approx(1.02, abs=0.07)
    assert {word.confidence for word in final.words} == {0.75}


async def test_times_that_begin_anew_with_each_segment_are_not_told() -> None:
    async with FunasrServer(decoder=scripted, flavour="python") as server:
        assert (await hear(over(server)))[-1].words == ()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("<|zh|><|NEUTRAL|><|Speech|><|woitn|>你好，请问……社保卡？", "你好请问社保卡"),
        ("我要 办 ETC 和 visa card。", "我要办ETC和visa card"),
        ("热线是12345，室温25.5℃！", "热线是12345室温25.5℃"),
        ("，。", ""),
    ],
)
async def test_punctuation_blanks_and_tags_are_dropped(said: str, text: str) -> None:
    class Saying(ScriptedDecoder):
        def FinalResult(self) -> str:
            return json.dumps({"text": said, "result": [{"word": said, "start": 0.0, "end": 1.0}]})

    async with FunasrServer(decoder=lambda rate: Saying([], rate)) as server:
        final = (await hear(over(server)))[-1]
    assert (final.text, bool(final.confidence)) == (text, bool(text))
    assert final.words == () or "".join(word.text for word in final.words) == text.replace(" ", "")


@pytest.mark.parametrize(("flavour", "at_least_s"), [("cpp", 0.0), ("python", 0.0), ("python-2024", GRACE_S)])
async def test_nobody_waits_who_need_not(flavour: Flavour, at_least_s: float) -> None:
    async with FunasrServer(decoder=scripted, flavour=flavour) as server:
        began = anyio.current_time()
        await hear(over(server, reply_timeout_s=BUSY_S))
        assert at_least_s <= anyio.current_time() - began < at_least_s + 15


async def test_a_word_too_short_for_a_guess_is_not_waited_for_either() -> None:
    """No reply has shown yet that this server's is_final means nothing."""

    def decoder(rate: float) -> Decoder:
        return ScriptedDecoder([("是", 9.0)], rate)

    async with FunasrServer(decoder=decoder, flavour="python-2024") as server:
        with anyio.fail_after(15):
            assert (await hear(over(server, reply_timeout_s=BUSY_S)))[-1].text == "是"


async def test_what_was_seen_while_the_caller_spoke_tells_the_old_server_behind_a_proxy() -> None:
    shown = anyio.Event()

    async def speech() -> AsyncIterator[bytes]:
        yield AUDIO
        await shown.wait()

    async with FunasrServer(decoder=scripted, flavour="python-2024", hide_software=True) as server:
        with anyio.fail_after(15):
            heard = []
            async for item in over(server, reply_timeout_s=BUSY_S).transcribe(speech()):
                heard.append(item)
                if item.text == "我想咨询出生":  # all that this server says before the end
                    shown.set()
    assert heard[-1] == Transcript(WORDS, True, 0.75)


@pytest.mark.parametrize("flavour", ["cpp", "python"])
async def test_segments_still_being_heard_at_the_end_are_waited_for(flavour: Flavour) -> None:
    """Audio comes much faster than it was spoken; the second pass takes its time."""

    class Slow(ScriptedDecoder):
        def Result(self) -> str:
            time.sleep(0.2)
            return super().Result()

        def FinalResult(self) -> str:
            time.sleep(GRACE_S + 0.2)
            return super().FinalResult()

    def decoder(rate: float) -> Decoder:
        return Slow([("我 想 咨询", 1.0), ("出生 证明", 1.5)], rate)

    async with FunasrServer(decoder=decoder, flavour=flavour) as server:
        assert (await hear(over(server, reply_timeout_s=BUSY_S)))[-1].text == WORDS


async def test_what_the_server_had_told_stands_when_it_does_not_finish(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FunasrServer("silent_at_end", decoder=scripted) as server:
        engine = over(server, reuse=True)
        with caplog.at_level(logging.WARNING):
            first, second = (await hear(engine))[-1], (await hear(engine))[-1]
        await engine.aclose()
    assert first == Transcript("我想咨询出生", True, 0.75)
    assert second.text == WORDS
    assert server.connections == 2
    assert "it did not finish" in caplog.text


@pytest.mark.parametrize(
    "fault", ["disconnect_after_final", "disconnect_in_second", "late", "late_in_second"]
)
async def test_a_kept_connection_never_mixes_utterances(fault: Fault) -> None:
    async with FunasrServer(fault, decoder=scripted) as server:
        engine = over(server, reuse=True)
        for _ in range(3):
            heard = await hear(engine)
            assert heard[-1].text == WORDS
            assert all("迟到" not in item.text for item in heard)
        await engine.aclose()
    assert server.connections == (1 if fault == "late_in_second" else 2)
    assert len({utterance.start["wav_name"] for utterance in server.utterances}) == len(server.utterances)


FAULTS: Sequence[tuple[Fault, str]] = [
    ("refuse", "refused with HTTP 503"),
    ("no_handshake", "no connection within 1 s"),
    ("silent", "no reply within 1.2 s after the end of the audio"),
    ("disconnect", "the connection was lost"),
    ("disconnect_at_end", "the connection was lost"),
    ("not_json", "not a JSON object"),
    ("wrong_types", "text and mode of its reply are not understood"),
    ("binary", "not a JSON object"),
    ("no_mode", "none of the modes"),
]


@pytest.mark.parametrize("fault", [fault for fault, _ in FAULTS])
async def test_the_next_server_hears_it_all_when_one_fails(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with FunasrServer(*[fault] * 9, decoder=scripted) as bad, FunasrServer(decoder=scripted) as good:
        engine = over(bad, good)
        with caplog.at_level(logging.DEBUG):
            heard = await hear(engine)
            again = await hear(engine)
    assert heard[-1].text == again[-1].text == WORDS
    assert [item.final for item in heard].count(True) == 1
    lengths = [len(item.text) for item in heard]
    assert lengths == sorted(lengths), "words that were shown vanished"
    assert len(good.utterances[0].audio) == len(good.utterances[1].audio)
    assert bad.connections == 1, "a server that has just failed is left alone"
    assert caplog.text.count("left alone") == 1
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert not any(char in record.getMessage() for record in ours for char in WORDS), "words in the log"


@pytest.mark.parametrize(("fault", "message"), FAULTS)
async def test_what_is_wrong_is_told(fault: Fault, message: str) -> None:
    async with FunasrServer(*[fault] * 9, decoder=scripted) as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(EngineFailed, match=f"^FunASR server 127.0.0.1:{port}: .*{message}") as raised:
            await hear(over(server))
        await until(lambda: server.open == 0)
    assert raised.value.retryable


async def test_an_acknowledged_failure_is_one() -> None:
    async with FunasrServer("failed_ack", decoder=scripted, flavour="python") as server:
        with pytest.raises(EngineFailed, match="it says that it failed"):
            await hear(over(server))


async def test_hanging_up_closes_the_connection_at_once() -> None:
    async with FunasrServer(decoder=scripted) as server:
        engine = over(server)

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(320)
                await anyio.sleep(0.001)

        tasks = len(anyio.get_running_tasks())
        with anyio.CancelScope() as call:
            async for _ in engine.transcribe(endless()):
                call.cancel()
        await until(lambda: server.open == 0 and len(anyio.get_running_tasks()) == tasks)


async def test_closing_ends_a_running_transcription() -> None:
    async with FunasrServer(decoder=scripted) as server:
        engine = over(server)

        async def source() -> AsyncIterator[bytes]:
            yield AUDIO
            await until(lambda: bool(server.utterances))
            await engine.aclose()
            yield AUDIO

        with pytest.raises(EngineFailed, match="closed") as raised:
            [item async for item in engine.transcribe(source())]
        assert not raised.value.retryable


async def test_another_kind_of_server_is_told_apart() -> None:
    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"SIP/2.0 400 Bad Request\r\n\r\n")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, answer)
            with pytest.raises(EngineFailed, match="not a WebSocket server"):
                await hear(FunasrServerRecognizer([f"ws://127.0.0.1:{port}"]))
            group.cancel_scope.cancel()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ModelError, match="a FunASR server is reached by ws://HOST:PORT or wss://HOST:PORT"):
        FunasrServerRecognizer(["127.0.0.1:10095"])


async def test_a_call_goes_on_with_the_local_engine_when_the_server_dies_in_mid_sentence() -> None:
    local = VoskRecognizer(BUILTIN, workers=1)
    async with FunasrServer("disconnect", decoder=real) as server:
        engine = FallbackRecognizer([over(server, reply_timeout_s=BUSY_S), local])
        heard = await hear(engine, synthesise(SENTENCES[0]))
        after = await hear(engine, synthesise(SENTENCES[1]))
        await engine.aclose()
    assert (heard[-1].text, after[-1].text) == (SENTENCES[0], SENTENCES[1])
    assert [item.final for item in heard].count(True) == 1
    assert server.connections == 1, "the server that died is left alone for a while"


async def test_real_words_come_through_all_flavours() -> None:
    for flavour in ALL:
        async with FunasrServer(decoder=real, flavour=flavour) as server:
            engine = over(server, reply_timeout_s=BUSY_S)
            assert (await hear(engine, synthesise(SENTENCES[1])))[-1].text == SENTENCES[1]
            await engine.aclose()
