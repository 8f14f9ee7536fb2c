# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""Calls through pipecat's own pipeline, in virtual time: `python pipecat_worker.py CALLS.json`.

Runs inside the throw-away environment of bench/against_pipecat.py, where pipecat is installed and this
project is not: it imports nothing of ours, and nothing of ours imports it. The pipeline is the one that
pipecat's own template makes for telephony (8 kHz, every setting of turn-taking at its default). Stand-ins are
the line, a recogniser that releases the known text in step with the audio, and a model and a voice that cost
no time. One line of JSON for each call comes out: what happened, and the processor time.

The clock of the event loop jumps to the next timer. A model that pipecat runs in a thread is run at once, and
its answer arrives after the processor time that it took, so a busy machine changes nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import selectors
import sys
import time
import wave
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from typing import Any

RATE = 8000
FRAME_S = 0.02
GREETING = "您好，这里是市民热线，" + "请您把要反映的事情慢慢说一遍，" * 3 + "我都会记下来。"
REPLY = "好的，我记下了。"
SPOKEN_S = 0.25  # a character of the agent's
OWN_END_S = 0.5  # after so long without a word the recogniser ends its utterance itself
SURE_S = 0.2  # a word is known so long before its sound has wholly died away


class _JumpingSelector(selectors.DefaultSelector):
    """Where a selector would sleep until the next timer, the loop's clock moves on instead."""

    now_s = 1000.0  # a time of 0.0 is nobody's real time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits and no timer is set: the call would hang for ever")
        self.now_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is the audio's; what would run in a thread takes the processor time that it takes."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = self.create_future()
        began = time.thread_time()
        value = func(*args)  # an error belongs to whoever asked, and ends the run
        self.call_later(time.thread_time() - began, _give, answer, value)
        return answer


def _give(answer: asyncio.Future[Any], value: Any) -> None:
    if not answer.cancelled():
        answer.set_result(value)


_loop = VirtualLoop()
time.time = time.monotonic = _loop.time  # before pipecat is imported
time.time_ns = time.monotonic_ns = lambda: int(_loop.time() * 1e9)

from loguru import logger  # noqa: E402

logger.remove()
logger.add(sys.stderr, level="ERROR")

from pipecat.audio.vad.silero import SileroVADAnalyzer  # noqa: E402
from pipecat.frames.frames import (  # noqa: E402
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.processors.aggregators.llm_context import LLMContext  # noqa: E402
from pipecat.processors.aggregators.llm_response_universal import (  # noqa: E402
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection  # noqa: E402
from pipecat.services.llm_service import LLMService  # noqa: E402
from pipecat.services.settings import NOT_GIVEN, LLMSettings, STTSettings, TTSSettings  # noqa: E402
from pipecat.services.stt_service import STTService  # noqa: E402
from pipecat.services.tts_service import TTSService  # noqa: E402
from pipecat.transports.base_input import BaseInputTransport  # noqa: E402
from pipecat.transports.base_output import BaseOutputTransport  # noqa: E402
from pipecat.transports.base_transport import TransportParams  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402


def _settled(kind: type[Any]) -> Any:
    """Settings in which nothing is left open, as pipecat demands of a service."""
    settings = kind()
    for one in dataclasses.fields(settings):
        if getattr(settings, one.name) is NOT_GIVEN:
            setattr(settings, one.name, None)
    return settings


class Account:
    """What happened in a call, in seconds of its audio."""

    def __init__(self) -> None:
        self.began_s = 0.0
        self.events: list[tuple[float, str]] = []

    def now_s(self) -> float:
        return _loop.time() - self.began_s

    def note(self, what: str) -> None:
        self.events.append((round(self.now_s(), 4), what))

    def happened(self, what: str, after_s: float) -> bool:
        return any(event == what and at_s >= after_s for at_s, event in self.events)


class Line(BaseInputTransport):
    """Hands in a frame every 20 ms, as a telephone line does."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)


class Loudspeaker(BaseOutputTransport):
    """Takes audio at twice the speed and drops the rest at an interruption, as pipecat over telephony."""

    def __init__(self, params: TransportParams, account: Account) -> None:
        super().__init__(params)
        self._account = account
        self._next_s = 0.0
        self._playing_until_s = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            if self._playing_until_s > _loop.time():
                self._account.note("silenced")
            self._playing_until_s = self._next_s = 0.0

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now_s, length_s = _loop.time(), len(frame.audio) / 2 / self.sample_rate
        if self._playing_until_s <= now_s:
            self._account.note("sounding")
        self._playing_until_s = max(self._playing_until_s, now_s) + length_s
        await asyncio.sleep(max(0.0, self._next_s - now_s))
        self._next_s = max(self._next_s, _loop.time()) + length_s / 2
        return True


class KnownWords(STTService):
    """In the recogniser's place: interim words a little after their sound, as of a streaming recogniser.

    The final comes, marked as such, the moment that pipecat's own detector hears a pause: no real service is
    so quick. Words that the detector misses become a final after a silence of this recogniser's own.
    """

    def __init__(self, words: list[list[Any]], lag_s: float, account: Account) -> None:
        super().__init__(ttfs_p99_latency=lag_s, settings=_settled(STTSettings))
        self._words = [(float(said_s), str(text)) for said_s, text in words]
        self._lag_s = lag_s
        self._text = ""
        self._grown_s = 0.0
        self._speech = False
        self._account = account

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        now_s = self._account.now_s()
        if self._hear(now_s - self._lag_s):
            self._grown_s = now_s
            yield InterimTranscriptionFrame(self._text, "", "")
        elif self._text and not self._speech and now_s - self._grown_s >= OWN_END_S:
            yield self._final()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._speech = True
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._speech = False
            self._hear(self._account.now_s() + SURE_S)
            if self._text:
                await self.push_frame(self._final())

    def _hear(self, until_s: float) -> bool:
        """Take in what is said by then; False if that is nothing."""
        before = len(self._words)
        while self._words and self._words[0][0] <= until_s:
            self._text += self._words.pop(0)[1]
        return len(self._words) < before

    def _final(self) -> TranscriptionFrame:
        text, self._text = self._text, ""
        return TranscriptionFrame(text, "", "", finalized=True)


class InstantModel(LLMService):
    """Answers everything at once with the same sentence."""

    def __init__(self) -> None:
        super().__init__(settings=_settled(LLMSettings))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await self.push_frame(LLMFullResponseStartFrame())
            await self._push_llm_text(REPLY)
            await self.push_frame(LLMFullResponseEndFrame())
        else:
            await self.push_frame(frame, direction)


class InstantVoice(TTSService):
    """Speaks at once."""

    def __init__(self) -> None:
        super().__init__(
            push_start_frame=True, push_stop_frames=True, sample_rate=RATE, settings=_settled(TTSSettings)
        )

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        for _ in text:
            audio = b"\x00\x10" * round(SPOKEN_S * RATE)
            yield TTSAudioRawFrame(audio, RATE, 1, context_id=context_id)


async def _speak_into(line: Line, call: dict[str, Any], account: Account) -> None:
    """All of the audio, or up to the event after a time that the call is held for."""
    with wave.open(call["wav"]) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{call['wav']}: must be mono, 16 bits, {RATE} Hz")
        pcm = file.readframes(file.getnframes())
    size = round(RATE * FRAME_S) * 2
    account.began_s = _loop.time()
    for number, start in enumerate(range(0, len(pcm) - size + 1, size), 1):
        await asyncio.sleep(account.began_s + number * FRAME_S - _loop.time())
        await line.push_audio_frame(InputAudioRawFrame(pcm[start : start + size], RATE, 1))
        if call["until"] and account.happened(*call["until"]):
            return


async def _hold(call: dict[str, Any]) -> dict[str, Any]:
    """One call from its first frame to its last: what happened and what it cost."""
    account = Account()
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    line = Line(params)
    words = KnownWords(call["words"], call["lag_s"], account)
    turns = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    agent = [InstantModel(), InstantVoice(), Loudspeaker(params, account)]
    worker = PipelineWorker(
        Pipeline([line, words, turns.user(), *agent, turns.assistant()]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _(*_: Any) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await started.wait()
    if call["greets"]:
        await worker.queue_frame(TTSSpeakFrame(GREETING))
    began_s = time.process_time()
    await _speak_into(line, call, account)
    result = {
        "events": account.events,
        "cpu_s": time.process_time() - began_s,
        "heard_s": account.now_s(),
    }
    await worker.cancel()
    await running
    return result


async def _hold_all(calls: list[dict[str, Any]]) -> None:
    for call in calls:
        print(json.dumps(await _hold(call)), flush=True)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as given:
        _loop.run_until_complete(_hold_all(json.load(given)))
