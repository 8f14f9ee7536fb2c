"""Recognition by vosk-server: the protocol, its faults, several servers, and a real model behind it."""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
import vosk

from asr import EngineFailed, ModelError, Recognizer, Transcript
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN, load_model
from asr.vosk_ws import VoskServerRecognizer
from hotline.speech import read_wav
from tests.peers.vosk_server import Decoder, Fault, Flavour, ScriptedDecoder, VoskServer
from tests.unit import test_asr_contract as contract

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

# The house's contract runs on the `recognizer` of this module, but for what counts tasks and
# memory, where the servers' own would count too.
NOT_HERE = ("cancelling", "five_hundred", "decoding_never")
globals().update(
    {
        name: test
        for name, test in vars(contract).items()
        if name.startswith("test_")
        and "recognizer" in inspect.signature(test).parameters
        and not any(part in name for part in NOT_HERE)
    }
)

SPEECH = Path(__file__).parents[2].parent / "shared" / "data" / "speech"
WORDS = "我想咨询出生证明"
BUSY_S = 30.0  # for tests in which nothing is to be given up, however busy the machine is
AUDIO = bytes(2 * 8000 * 2)  # what the script makes of it does not depend on what is in it


def scripted(rate: float) -> Decoder:
    return ScriptedDecoder([("我 想 咨询", 1.0), ("出生 证明", 1.0)], rate)


def real(rate: float) -> Decoder:
    decoder: Decoder = vosk.KaldiRecognizer(load_model(BUILTIN).handle, rate)
    decoder.SetWords(True)  # type: ignore[attr-defined]
    return decoder


@pytest.fixture(params=[False, True], ids=["fresh", "reused"])
async def recognizer(request: pytest.FixtureRequest) -> AsyncIterator[Recognizer]:
    async with VoskServer(decoder=real) as server:
        engine = over(server, reuse=request.param, reply_timeout_s=BUSY_S)
        yield engine
        await engine.aclose()


async def frames(pcm: bytes, frame: int = 320) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), frame):
        yield pcm[start : start + frame]


async def hear(engine: Recognizer, pcm: bytes = AUDIO) -> list[Transcript]:
    return [heard async for heard in engine.transcribe(frames(pcm))]


def over(*servers: VoskServer, reuse: bool = False, reply_timeout_s: float = 1.0) -> VoskServerRecognizer:
    return VoskServerRecognizer(
        [server.url for server in servers],
        reuse=reuse,
        connect_timeout_s=1.0,
        reply_timeout_s=reply_timeout_s,
    )


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def test_the_protocol_is_spoken_and_pieces_are_joined() -> None:
    async with VoskServer(decoder=scripted) as server:
        heard = await hear(over(server))
        await until(lambda: server.open == 0)
    final = heard[-1]
    assert (final.text, final.confidence) == (WORDS, pytest.approx(0.9))
    assert [item.text for item in heard[:-1]] == ["我", "我想", "我想咨询", "我想咨询出生", WORDS]
    assert [(word.text, word.start_s, word.end_s) for word in final.words] == [
        ("我", 0.0, pytest.approx(1 / 3)),
        ("想", pytest.approx(1 / 3), pytest.approx(2 / 3)),
        ("咨询", pytest.approx(2 / 3), pytest.approx(1.0)),
        ("出生", pytest.approx(1.0), pytest.approx(1.5)),
        ("证明", pytest.approx(1.5), pytest.approx(2.0)),
    ]
    (received,) = server.connections
    config = json.loads(received.texts[0])["config"]
    assert config == {"sample_rate": 8000, "words": True, "max_alternatives": 0}
    assert received.texts[1:] == ['{"eof" : 1}']
    assert received.audio == AUDIO


@pytest.mark.parametrize("flavour", ["python", "python-old", "cpp"])
@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("fault", ["none", "slow", "dribble", "disconnect_after_final"])
async def test_every_server_is_understood(flavour: Flavour, reuse: bool, fault: Fault) -> None:
    async with VoskServer(*[fault] * 9, decoder=scripted, flavour=flavour) as server:
        engine = over(server, reuse=reuse)
        for _ in range(3):
            assert (await hear(engine))[-1].text == WORDS
        await engine.aclose()
    if flavour == "cpp":  # it would take settings for audio
        assert {text for received in server.connections for text in received.texts} == {'{"eof" : 1}'}


async def test_several_alternatives_and_words_without_confidence_are_understood() -> None:
    class Alternatives(ScriptedDecoder):
        def FinalResult(self) -> str:
            best = {"text": "您 好", "confidence": 271.8, "result": [{"word": "您好", "start": 0, "end": 1}]}
            return json.dumps({"alternatives": [best, {"text": "你 好", "confidence": 270.0}]})

    async with VoskServer(decoder=lambda rate: Alternatives([("您 好", 9.0)], rate)) as server:
        final = (await hear(over(server)))[-1]
    assert (final.text, final.words[0].text, final.confidence) == ("您好", "您好", 0.75)


async def test_a_kept_connection_serves_many_and_its_clock_is_set_back() -> None:
    async with VoskServer(decoder=scripted) as server:
        engine = over(server, reuse=True)
        finals = [(await hear(engine))[-1] for _ in range(3)]
        assert len(server.connections) == 1
        assert [final.text for final in finals] == [WORDS] * 3
        assert [final.words[-1].end_s for final in finals] == [pytest.approx(2.0)] * 3
        await engine.aclose()
        await until(lambda: server.open == 0)
    assert server.connections[0].texts[1:] == ['{"reset" : 1}'] * 3


async def test_a_server_that_knows_no_reset_is_not_kept_and_nothing_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with VoskServer(decoder=scripted, flavour="python-old") as server:
        engine = over(server, reuse=True)
        with caplog.at_level(logging.WARNING, "asr"):
            assert [(await hear(engine))[-1].text for _ in range(2)] == [WORDS] * 2
        assert [received.texts[-1] for received in server.connections] == [
            '{"reset" : 1}',
            '{"eof" : 1}',
            '{"eof" : 1}',
        ]
    assert "left alone" not in caplog.text, "a server that merely closes is no broken server"


@pytest.mark.parametrize("fault", ["disconnect_after_final", "disconnect_in_second", "late"])
async def test_a_kept_connection_that_is_no_good_is_replaced(fault: Fault) -> None:
    async with VoskServer(fault, decoder=scripted) as server:
        engine = over(server, reuse=True)
        for _ in range(3):
            heard = await hear(engine)
            assert heard[-1].text == WORDS
            assert all("迟到" not in item.text for item in heard)
        await engine.aclose()
    assert len(server.connections) == 2


@pytest.mark.parametrize(
    "fault",
    [
        "refuse",
        "no_handshake",
        "silent",
        "silent_at_end",
        "disconnect",
        "disconnect_at_end",
        "not_json",
        "wrong_types",
        "binary",
        "wrong_words",
    ],
)
async def test_the_next_server_hears_it_all_when_one_fails(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with VoskServer(*[fault] * 9, decoder=scripted) as bad, VoskServer(decoder=scripted) as good:
        engine = over(bad, good)
        with caplog.at_level(logging.DEBUG):
            heard = await hear(engine)
            again = await hear(engine)
        await engine.aclose()
    assert heard[-1].text == again[-1].text == WORDS
    assert [item.final for item in heard].count(True) == 1
    lengths = [len(item.text) for item in heard]
    assert lengths == sorted(lengths), "words that were shown vanished"
    assert good.connections[0].audio == AUDIO
    assert len(bad.connections) == 1, "a server that has just failed is left alone"
    assert caplog.text.count("left alone") == 1
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert not any(char in record.getMessage() for record in ours for char in WORDS), "words in the log"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("refuse", "refused with HTTP 503"),
        ("no_handshake", "no connection within 1 s"),
        ("silent", "no reply within 1 s"),
        ("disconnect", "the connection was lost"),
        ("disconnect_at_end", "the connection was lost"),
        ("not_json", "not a JSON object"),
        ("wrong_types", "neither a partial nor a text"),
        ("binary", "not a JSON object"),
        ("wrong_words", "words of its reply are not understood"),
    ],
)
async def test_what_is_wrong_is_told(fault: Fault, message: str) -> None:
    async with VoskServer(*[fault] * 9, decoder=scripted) as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(EngineFailed, match=f"^vosk-server 127.0.0.1:{port}: .*{message}") as raised:
            await hear(over(server))
        await until(lambda: server.open == 0)
    assert raised.value.retryable


async def test_servers_that_are_not_there_are_named() -> None:
    async with VoskServer(decoder=scripted) as server:
        pass
    with pytest.raises(EngineFailed, match="cannot be reached") as raised:
        await hear(over(server))
    assert raised.value.retryable


@pytest.mark.parametrize("reuse", [False, True])
async def test_hundreds_of_utterances_leave_no_task_and_no_socket_behind(reuse: bool) -> None:
    async with VoskServer(decoder=scripted) as server:
        engine = over(server, reuse=reuse, reply_timeout_s=BUSY_S)
        tasks, sockets = len(anyio.get_running_tasks()), open_files()

        async def one(number: int) -> None:
            async with contextlib.aclosing(engine.transcribe(frames(AUDIO, 3200))) as heard:
                async for _ in heard:
                    if number == 3:
                        break  # somebody hangs up

        for _ in range(20):
            async with anyio.create_task_group() as group:
                for number in range(10):
                    group.start_soon(one, number)
        await engine.aclose()
        await until(lambda: server.open == 0 and len(anyio.get_running_tasks()) == tasks)
        await until(lambda: open_files() <= sockets)
    assert len(server.connections) <= (10 + 20 if reuse else 200)


@pytest.mark.parametrize(("verify", "message"), [(False, None), (True, "its certificate is not trusted")])
async def test_a_certificate_is_checked_or_not(tmp_path: Path, verify: bool, message: str | None) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes the certificate, is not installed")
    certificate = tmp_path / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=asr.example"
    await anyio.run_process([*command.split(), "-keyout", str(certificate), "-out", str(tmp_path / "c.pem")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", certificate)
    async with VoskServer(decoder=scripted, tls=context) as server:
        engine = VoskServerRecognizer([server.url], verify_tls=verify)
        if message is None:
            assert (await hear(engine))[-1].text == WORDS
        else:
            with pytest.raises(EngineFailed, match=message):
                await hear(engine)


async def test_calls_are_spread_over_the_servers() -> None:
    async with VoskServer(decoder=scripted) as one, VoskServer(decoder=scripted) as other:
        engine = over(one, other)
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(hear, engine)
    assert (len(one.connections), len(other.connections)) == (3, 3)


async def test_hanging_up_closes_the_connection_at_once() -> None:
    async with VoskServer(decoder=scripted) as server:
        engine = over(server)

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(320)
                await anyio.sleep(0.001)

        tasks = len(anyio.get_running_tasks())
        async with contextlib.aclosing(engine.transcribe(endless())) as heard:
            async for _ in heard:
                break
        await until(lambda: server.open == 0 and len(anyio.get_running_tasks()) == tasks)
    assert server.connections[0].close_code == 1000, "the server was told"


async def test_closing_ends_a_running_transcription_and_kept_connections() -> None:
    async with VoskServer(decoder=scripted) as server:
        engine = over(server, reuse=True)
        await hear(engine)

        async def source() -> AsyncIterator[bytes]:
            yield bytes(3200)
            await until(lambda: len(server.connections[0].texts) > 1)
            await engine.aclose()
            await until(lambda: server.open == 0)
            yield bytes(3200)

        with pytest.raises(EngineFailed, match="closed") as raised:
            [item async for item in engine.transcribe(source())]
        assert not raised.value.retryable
        with pytest.raises(EngineFailed, match="closed"):
            await hear(engine)


@pytest.mark.parametrize("url", ["http://127.0.0.1:2700", "127.0.0.1:2700", "ws://", "ws://h:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ModelError, match="ws://HOST:PORT"):
        VoskServerRecognizer([url])


def test_no_address_is_refused() -> None:
    with pytest.raises(ModelError, match="no vosk-server is set"):
        VoskServerRecognizer([])


async def test_real_speech_gives_what_the_engine_in_process_gives() -> None:
    if not SPEECH.is_dir():
        pytest.skip(f"no recordings at {SPEECH}")
    local = VoskRecognizer(BUILTIN, workers=1)
    async with VoskServer(decoder=real) as server:
        engine = over(server, reuse=True, reply_timeout_s=BUSY_S)
        for path in sorted(SPEECH.glob("*.wav"))[:6]:
            pcm = read_wav(path)
            there, here = (await hear(engine, pcm))[-1], (await hear(local, pcm))[-1]
            assert there.text == here.text
            assert [word.start_s for word in there.words] == pytest.approx(
                [word.start_s for word in here.words], abs=0.02
            )
        await engine.aclose()
    await local.aclose()
    assert len(server.connections) == 1
