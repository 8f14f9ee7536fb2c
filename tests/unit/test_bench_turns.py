"""The timing benchmark's callers, figures and stand-in for recognition, without sockets and clocks."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import replace

import numpy as np
import pytest

from bench.speech import PACKET, SILENCE, encode, is_audible
from bench.turns_figures import answered, disturbed, interrupted, percentile, silenced_ms
from bench.turns_script import (
    PACKET_S,
    QUIET_S,
    VALUES,
    Clip,
    Conversation,
    Item,
    Said,
    Script,
    Trace,
    idle_packets,
)
from bench.turns_words import Utterance, Words

pytestmark = [pytest.mark.unit]

LOUD = encode(np.full(PACKET, 8000.0))


def clip(name: str, count: int, *, text: str = "", pause: tuple[int, int] | None = None) -> Clip:
    """`count` packets of sound, each unlike all others, with 5 packets of noise before and after."""
    chance = np.random.default_rng(sum(name.encode()))
    code = encode(chance.normal(0, 3000, (count + 10) * PACKET))
    packets = tuple(code[at : at + PACKET] for at in range(0, len(code), PACKET))
    said_s = tuple((5 + count * (number + 1) / len(text)) * PACKET_S for number in range(len(text)))
    return Clip(name, text, packets, 5, count + 4, pause, said_s)


class Line:
    """Plays a conversation against an agent that speaks at the given times, in steps of a packet."""

    def __init__(self, script: Script, clips: list[Clip], agent: list[tuple[float, float]]) -> None:
        self.sent: list[bytes] = []
        trace = Trace("1")
        self.conversation = Conversation(script, {c.name: c for c in clips}, idle_packets(), trace)
        for step in range(round(60 / PACKET_S)):
            now = step * PACKET_S
            speaks = any(begin <= now < end for begin, end in agent)
            self.conversation.hear(LOUD if speaks else SILENCE, now)
            packet = self.conversation.next_packet(now)
            if packet is None:
                break
            self.sent.append(packet)
        self.trace = trace
        self.over_s = now


def test_a_request_waits_until_the_agent_is_quiet_and_the_call_ends_with_its_answer() -> None:
    line = Line(Script((Item("a"),)), [clip("a", 50)], [(0.5, 3.0), (5.2, 9.0)])
    (said,) = line.trace.said
    assert said.sent[0] == pytest.approx(3.0 + QUIET_S, abs=0.05)
    found = answered(line.trace, said, clip("a", 50))
    assert found.gap_ms == pytest.approx((5.2 - said.sent[54]) * 1000, abs=1)
    assert (found.midway, found.in_pause, found.unanswered) == (False, False, False)
    assert 5.2 < line.over_s < 6


def test_an_unanswered_request_is_told_and_the_next_is_said() -> None:
    line = Line(Script((Item("a"), Item("b"))), [clip("a", 50), clip("b", 50)], [(0.5, 2.0), (12, 14)])
    first, second = line.trace.said
    assert answered(line.trace, first, clip("a", 50)).unanswered
    assert second.sent[0] == pytest.approx(first.sent[-1] + 5, abs=0.05)


def test_an_answer_in_a_pause_is_told_from_one_in_mid_request() -> None:
    asked = clip("a", 100, pause=(40, 70))
    said = Said(Item("a"), array("d", [10 + number * PACKET_S for number in range(105)]))
    in_pause = Trace("1", sounds=array("d", [11.2, 11.22, 12.6]))
    midway = Trace("1", sounds=array("d", [10.4, 12.6]))
    found = answered(in_pause, said, asked)
    assert (found.in_pause, found.midway) == (True, False)
    assert found.gap_ms == pytest.approx(1000 * (12.6 - said.sent[104]))
    found = answered(midway, said, asked)
    assert (found.in_pause, found.midway) == (False, True)


def test_an_interruption_begins_over_the_answer_and_is_timed_to_the_agents_last_sound() -> None:
    script = Script((Item("a"), Item("b", over_s=1.5)))
    clips = [clip("a", 50), clip("b", 50)]
    line = Line(script, clips, [(0.5, 2.0), (4.5, 6.5), (8.0, 9.0)])
    said = line.trace.said[1]
    assert said.sent[0] == pytest.approx(6.0, abs=0.05)
    assert silenced_ms(line.trace, said, clips[1]) == pytest.approx((6.5 - said.sent[5]) * 1000, abs=25)


def test_an_agent_that_speaks_on_was_not_silenced() -> None:
    said = Said(Item("a", over_s=1.0), array("d", [10 + number * PACKET_S for number in range(60)]))
    trace = Trace("1", sounds=array("d", np.arange(5.0, 20.0, PACKET_S)), over_at=20.0)
    assert silenced_ms(trace, said, clip("a", 50)) is None


def test_what_could_not_be_said_is_said_in_another_call() -> None:
    script = Script((Item("a"), Item("b", over_s=3.0, asks=False)), tries=1)
    line = Line(script, [clip("a", 50), clip("b", 50)], [(0.5, 2.0), (4.5, 6.0)])
    assert line.over_s < 8
    assert (line.conversation.unsaid, line.conversation.rest) == (1, Script(script.items, tries=0))
    assert Script(script.items, tries=0).rest(1) is None


def test_the_echo_is_the_agents_voice_later_and_quieter() -> None:
    line = Line(Script((Item("a"),), echo_packets=10), [clip("a", 50)], [(1.0, 2.0), (4.5, 6.0)])
    quieter = encode(VALUES[np.frombuffer(LOUD, np.uint8)] / 10)
    back = [number * PACKET_S for number, packet in enumerate(line.sent) if packet == quieter]
    assert back[0] == pytest.approx(1.2, abs=0.03)
    assert len([at for at in back if at < 3]) == 50


def turn(started_s: float, ended_s: float, *, interrupted: bool = False) -> dict[str, object]:
    return {"who": "agent", "started_s": started_s, "ended_s": ended_s, "interrupted": interrupted}


def test_a_stop_is_told_from_listening_for_a_moment_and_from_an_answers_end() -> None:
    over = clip("a", 20)
    said = Said(
        Item("a", over_s=1.0, asks=False), array("d", [10 + number * PACKET_S for number in range(25)])
    )

    def trace(*spoken: tuple[float, float]) -> Trace:
        sounds = [at for begin, end in spoken for at in np.arange(begin, end, PACKET_S)]
        return Trace("1", sounds=array("d", sounds), over_at=30.0)

    went_on = disturbed(trace((1, 10.3), (10.8, 15)), said, over, [turn(0.0, 14.0)])
    assert not went_on.stopped
    assert went_on.silence_s == pytest.approx(0.5, abs=0.03)
    assert disturbed(trace((1, 10.3), (11.5, 15)), said, over, [turn(0.0, 14.0)]).stopped
    broken_off = [turn(0.0, 9.3, interrupted=True), turn(9.8, 14.0)]
    assert disturbed(trace((1, 10.3), (10.8, 15)), said, over, broken_off).stopped
    assert not disturbed(trace((1, 10.9)), said, over, [turn(0.0, 10.0)]).stopped


def test_an_answer_that_the_caller_hung_up_on_was_not_broken_off() -> None:
    trace = Trace("1", sounds=array("d", [1.0, 1.02]), over_at=30.0)
    cut, hung_up = turn(5.0, 9.0, interrupted=True), turn(20.0, 29.0, interrupted=True)
    assert interrupted(trace, [turn(0.0, 4.0), cut, hung_up]) == (1, 3)
    assert interrupted(Trace("1"), []) == (0, 0)


def test_the_stand_in_tells_a_clips_text_in_step_with_the_audio_however_it_is_cut() -> None:
    spoken = clip("a", 100, text="社保卡丢了怎么办呢")
    words = Words([spoken, clip("b", 60, text="别的")])
    code = np.frombuffer(b"".join(spoken.packets), np.uint8)
    pcm = b"\0\0" * 37 + VALUES[code].astype("<i2").tobytes() + b"\0\0" * 2000
    heard, told = Utterance(words), []
    for at in range(0, len(pcm), 1598):
        heard.feed(pcm[at : at + 1598])
        told.append(heard.text(final=False))
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(told))
    assert told[9] == "社保卡"  # 1 s of audio, 0.1 s of it before the speech, 0.1 s to think
    assert told[-1] == heard.text(final=True) == "社保卡丢了怎么办呢"
    assert heard.known_s == pytest.approx(2.0)


def test_the_stand_in_begins_where_the_utterance_begins_and_knows_nothing_else() -> None:
    spoken = clip("a", 100, text="社保卡丢了怎么办呢")
    code = np.frombuffer(b"".join(spoken.packets[60:]), np.uint8)
    heard = Utterance(Words([spoken]))
    heard.feed(VALUES[code].astype("<i2").tobytes())
    assert heard.text(final=True) == "了怎么办呢"
    noise = Utterance(Words([spoken]))
    noise.feed(np.random.default_rng(1).normal(0, 500, 8000).astype("<i2").tobytes())
    assert (noise.text(final=True), noise.known_s) == ("", 0.0)


def test_the_stand_in_does_not_take_the_noise_after_a_clip_for_the_end_of_a_pause() -> None:
    one = clip("一", 20, text="一二三四")
    packets = list(one.packets)
    packets[16] = packets[27][: PACKET // 2] + packets[16][PACKET // 2 :]  # the pause ends within it
    heard = Utterance(Words([one, replace(one, packets=tuple(packets), pause=(13, 16))]))
    heard.feed(VALUES[np.frombuffer(b"".join(one.packets), np.uint8)].astype("<i2").tobytes())
    assert heard.text(final=True) == one.text


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.95) == 4.0
    assert np.isnan(percentile([], 0.5))


def test_an_idle_line_is_below_what_counts_as_sound() -> None:
    assert not any(map(is_audible, idle_packets()))
