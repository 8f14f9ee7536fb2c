"""What the scripts of calls are written with: what the caller does, what the agent must say, and how soon."""

from __future__ import annotations

import anyio

from tests.sim.fakes import MUSIC, Utterance
from tests.sim.scenario import Call, Step
from voice.phone import FRAME_S


def agent(text: str, *, within_ms: float = 2500) -> Step:
    """The agent's next words are `text`, begun within so long of the last sound on the line; to their end."""

    async def step(call: Call) -> None:
        await _begins(call, text, within_ms)
        said = ""
        while said != text:
            await call.until(lambda: len(call.leg.heard) > call.told, f"all of {text!r}")
            run = call.leg.heard[call.told]
            await call.until(lambda run=run: call.said_all(run), f"all of {run.text!r}")
            said += run.text
            call.told += 1
            assert text.startswith(said), f"expected {text!r}; {call.so_far()}"

    return step


async def _begins(call: Call, text: str, within_ms: float) -> None:
    leg = call.leg
    await call.until(lambda: len(leg.heard) > call.told, f"{text!r}")
    run = leg.heard[call.told]
    assert text.startswith(run.text), f"expected {text!r}; {call.so_far()}"
    last_sound_at = max(
        leg.last_sound_at, leg.heard[call.told - 1].ended_at if call.told else leg.answered_at
    )
    gap_ms = (run.began_at - last_sound_at) * 1000
    assert gap_ms <= within_ms, f"{text!r} came after {gap_ms:.0f} ms; {call.so_far()}"


def agent_begins(text: str, *, within_ms: float = 2500) -> Step:
    """The agent begins to say `text`; the script goes on while it speaks."""

    async def step(call: Call) -> None:
        await _begins(call, text, within_ms)
        call.told += 1

    return step


def agent_was_stopped(*, within_ms: float) -> Step:
    """The agent fell silent within so long of the beginning of the caller's last words."""

    async def step(call: Call) -> None:
        leg = call.leg
        took_ms = (leg.heard[-1].ended_at - leg.speech_began_at) * 1000
        assert took_ms <= within_ms, f"spoke on for {took_ms:.0f} ms; {call.so_far()}"
        call.told = len(leg.heard)

    return step


def silence(for_s: float) -> Step:
    """Nobody does anything for so long."""

    async def step(call: Call) -> None:
        await anyio.sleep(for_s)

    return step


def caller(
    text: str,
    *,
    after_s: float = 0.5,
    lasts_s: float = 0.0,
    partials: bool = True,
    confidence: float = 0.95,
    breaks_asr_at_s: float | None = None,
) -> Step:
    """The caller says `text` (five characters a second), or makes a noise where it is empty."""
    utterance = Utterance(text, lasts_s or len(text) * 0.2, confidence, partials, breaks_asr_at_s)

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        call.leg.speak(utterance)
        await call.until(lambda: not call.leg.speaking, f"the end of the caller's {text!r}")

    return step


def noise(lasts_s: float, *, after_s: float = 0.5) -> Step:
    """Sound that is speech to the VAD and holds no word."""
    return caller("", after_s=after_s, lasts_s=lasts_s)


def keys(digits: str, *, after_s: float = 0.5) -> Step:
    """The caller presses keys, three a second."""

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        for digit in digits:
            call.leg.press(digit)
            await anyio.sleep(0.3)

    return step


def hangs_up(*, after_s: float = 0.5) -> Step:
    """The caller hangs up."""

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        call.leg.leave()

    return step


def node_stops(*, hanging_up: bool = False, after_s: float = 0.5) -> Step:
    """The node breaks the call off, in the very moment in which the caller hangs up or stays."""

    async def step(call: Call) -> None:
        await anyio.sleep(after_s)
        if hanging_up:
            call.leg.leave()
        call.node.cancel()

    return step


def music(for_s: float = 0.5) -> Step:
    """The caller hears music, for so long at least."""

    async def step(call: Call) -> None:
        await call.until(lambda: len(call.leg.heard) > call.told, "music")
        assert call.leg.heard[call.told].text == MUSIC, call.so_far()
        await call.until(
            lambda: (
                sum(run.frames for run in call.leg.heard[call.told :] if run.text == MUSIC) >= for_s / FRAME_S
            ),
            "more music",
        )
        while call.told < len(call.leg.heard) and call.leg.heard[call.told].text == MUSIC:
            call.told += 1

    return step


def happens(kind: str, *, times: int = 1) -> Step:
    """Wait for an event in the record, for the first time or another."""

    async def step(call: Call) -> None:
        def happened() -> bool:
            return [event.kind for event in call.journal.happened].count(kind) >= times

        await call.until(happened, f"event {kind}")

    return step
