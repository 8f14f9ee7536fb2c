"""From the settings to the recogniser: each engine by its name, chains, hotwords, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from asr import ModelError, Recognizer, Transcript
from asr.factory import ENGINES, TAKE_HOTWORDS, Servers, load_of, open_recognizer
from asr.fallback import FallbackRecognizer
from asr.funasr_ws import FunasrServerRecognizer
from asr.pool import HasLoad, Load
from asr.vosk_engine import VoskRecognizer
from asr.vosk_ws import VoskServerRecognizer
from dialog.passages import Passage
from hotline import speech
from hotline.check import load_knowledge
from hotline.sections import AsrSettings
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

SENTENCE = "我想咨询一下出生证明要收费吗"
NOBODY = Servers(["ws://127.0.0.1:1"])  # where nobody listens
MODELS = Path("nowhere")


def opened(*engines: str, **options: Any) -> Recognizer:
    return open_recognizer(engines, model="builtin", models_dir=MODELS, **options)


class Recorder:
    """Stands in for an engine's class; keeps what it was made with."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.sample_rate = named["sample_rate"]
        self.given, self.named = given, named


def test_the_settings_offer_what_the_factory_opens() -> None:
    for name in ENGINES:
        AsrSettings(engine=name, servers=("ws://a",), funasr_streaming="b")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=", ".join(f"'{name}'" for name in ENGINES[:-1])):
        AsrSettings(engine=("whisper",))  # type: ignore[arg-type]


async def test_an_engine_alone_is_itself() -> None:
    for name, kind in {"vosk": VoskRecognizer, "vosk-ws": VoskServerRecognizer}.items():
        recognizer = opened(name, servers=NOBODY)
        assert type(recognizer) is kind
        assert recognizer.sample_rate == 8000
        await recognizer.aclose()


async def test_in_a_chain_the_next_engine_takes_over(caplog: pytest.LogCaptureFixture) -> None:
    recognizer = opened("funasr-ws", "vosk", servers=NOBODY)
    assert isinstance(recognizer, FallbackRecognizer)

    async def audio() -> AsyncIterator[bytes]:
        yield synthesise(SENTENCE)

    *_, final = [item async for item in recognizer.transcribe(audio())]
    await recognizer.aclose()
    assert final.text == SENTENCE
    assert "VoskRecognizer takes over" in caplog.text


@pytest.mark.parametrize(
    ("engines", "options", "said"),
    [
        ((), {}, "no ASR engine named; known are vosk, vosk-ws"),
        (("whisper",), {}, "unknown ASR engine 'whisper'; known are vosk, vosk-ws"),
        (("vosk", "whisper"), {}, "unknown ASR engine 'whisper'"),
        (("vosk-ws",), {}, "vosk-server"),
        (("funasr",), {}, "funasr needs the folder of its streaming model"),
        (("funasr-onnx",), {}, "funasr-onnx needs the folder of its streaming model"),
        (("vosk", "funasr-ws"), {"servers": Servers(["http://a"])}, "http://a"),
    ],
)
def test_what_cannot_be_opened_is_told_before_any_call(
    engines: tuple[str, ...], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said) as raised:
        opened(*engines, **options)
    assert "\n" not in str(raised.value)


def test_a_model_that_is_not_there_is_told() -> None:
    with pytest.raises(ModelError, match="hotline models get vosk-cn"):
        open_recognizer(["vosk"], model="vosk-cn", models_dir=MODELS)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("funasr", "asr.funasr_engine.FunasrRecognizer"),
        ("funasr-onnx", "asr.funasr_onnx_engine.FunasrOnnxRecognizer"),
    ],
)
def test_funasr_is_given_its_folders(name: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, Recorder)
    settings = AsrSettings(engine=(name,), funasr_streaming="a", funasr_offline="~/b", workers=3)  # type: ignore[arg-type]
    recognizer: Any = speech.open_recognizer(settings, ["建设路"])
    assert recognizer.named == {
        "streaming": Path("a"),
        "offline": Path.home() / "b",
        "punctuation": None,
        "hotwords": ["建设路"],
        "sample_rate": 8000,
        "workers": 3,
    }


def test_servers_are_given_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asr.funasr_ws.FunasrServerRecognizer", Recorder)
    settings = AsrSettings(
        engine=("funasr-ws",),
        servers=("ws://a", "wss://b:1"),
        server_mode="online",
        server_reuse=True,
        server_verify_tls=False,
    )
    recognizer: Any = speech.open_recognizer(settings, ["建设路"])
    assert recognizer.given == (("ws://a", "wss://b:1"),)
    assert recognizer.named == {
        "mode": "online",
        "hotwords": ["建设路"],
        "reuse": True,
        "verify_tls": False,
        "sample_rate": 8000,
    }


def test_an_engine_is_imported_only_when_it_is_chosen() -> None:
    code = (
        "import sys; from pathlib import Path; from asr.factory import open_recognizer\n"
        "open_recognizer(['vosk'], model='builtin', models_dir=Path('x'))\n"
        "print({'torch', 'funasr', 'onnxruntime', 'asr.funasr_engine', 'asr.servers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("engine", TAKE_HOTWORDS)
def test_names_of_the_city_are_hotwords(engine: str) -> None:
    settings = AsrSettings(engine=(engine,), servers=("ws://a",), funasr_streaming="b")  # type: ignore[arg-type]
    passages = partial(load_knowledge, "sample")
    names = speech.names_to_hear(settings, passages)
    assert {"建设路", "江北区", "阳光小区", "民政局", "居住证"} <= set(names)
    assert len(names) == len(set(names))
    assert all(len(name) > 1 for name in names)
    assert speech.names_to_hear(settings.model_copy(update={"hotwords": False}), passages) == ()
    own = Passage("a", "飞行器怎么登记？", "到窗口办。", department="市低空经济办")
    assert "低空经济办" in speech.names_to_hear(settings, lambda: [own])


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - set(TAKE_HOTWORDS)))
def test_engines_that_take_no_hotwords_get_none(engine: str) -> None:
    settings = AsrSettings(engine=(engine,), servers=("ws://a",))  # type: ignore[arg-type]

    def nobody_reads() -> list[Passage]:
        raise AssertionError("the knowledge base is read")

    assert speech.names_to_hear(settings, nobody_reads) == ()


async def test_the_load_of_a_chain_is_that_of_its_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = iter([Load(2, 0.5, 0.1), Load(1, 0.25, 0.4)])
    monkeypatch.setattr(VoskRecognizer, "load", lambda _self: next(loads))
    recognizer = opened("vosk", "vosk-ws", "vosk", servers=NOBODY)
    assert load_of(recognizer) == Load(3, 0.75, 0.4)
    await recognizer.aclose()


async def test_who_decodes_elsewhere_has_no_load() -> None:
    recognizer = opened("funasr-ws", servers=NOBODY)
    assert isinstance(recognizer, FunasrServerRecognizer)
    assert not isinstance(recognizer, HasLoad)
    assert load_of(recognizer) == Load()
    await recognizer.aclose()


async def test_the_load_of_an_utterance_under_way() -> None:
    recognizer = opened("vosk")
    seen: list[Load] = []

    async def audio() -> AsyncIterator[bytes]:
        yield bytes(3200)
        seen.append(load_of(recognizer))

    heard = [item async for item in recognizer.transcribe(audio())]
    assert heard == [Transcript("", final=True)]
    assert seen[0].utterances == 1
    after = load_of(recognizer)
    assert (after.utterances, after.waiting_s, after.oldest_wait_s) == (0, 0, 0)
    assert after.decoded_s == 0.2
    await recognizer.aclose()
