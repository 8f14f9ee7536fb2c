"""Conversation timing is measured right: ears whose manners are known give the figures they must give."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from dialog import Expects
from hotline.line_conditions import SAMPLE_RATE, pink_noise
from hotline.speech import write_wav
from hotline.turn_clips import LEAD_S, LabelledClip
from hotline.turn_evaluation import (
    CALL_TURNS,
    PAUSES_S,
    Delays,
    Evaluation,
    Material,
    Share,
    asked_for,
)
from hotline.turn_playing import Agent, Asked, Echo, Listening, StandIn, play
from hotline.turn_sounds import (
    Noise,
    agent_speech,
    has_voices,
    in_noise,
    noise_clips,
    noise_only,
    open_line,
    synthetic_clips,
)
from tests.unit.test_turn_clips import hush, pcm, spoken, tone
from voice.manner import Manner
from voice.media import SILENCE, level_dbfs
from voice.phone import FRAME_BYTES, FRAME_S
from voice.turns import Turn

pytestmark = [pytest.mark.unit]

DATA = Path(__file__).parents[2].parent / "shared" / "data"
TEXT = "想听歌曲老男孩"
GAPS_S = [0.02, 0.02, 0.02, 0.08, 0.02, 0.02, 0.02]


class Level:
    """Takes all that is louder than `over_dbfs` for speech, waits `patience_s`, is interrupted at once."""

    def __init__(self, patience_s: float, *, over_dbfs: float = -45.0) -> None:
        self.patience_s, self.over_dbfs = patience_s, over_dbfs
        self.silence_s = 0.0
        self.in_turn = self.barged_in = False
        self.expects: Expects = "anything"
        self.digits = 0
        self.heard: list[tuple[bytes, bool, str]] = []

    def take(self, frame: bytes, sent: bytes, *, agent_speaks: bool, partial: str) -> Turn | None:
        self.heard.append((sent, agent_speaks, partial))
        speech = level_dbfs(frame) > self.over_dbfs
        self.silence_s = 0.0 if speech else self.silence_s + FRAME_S
        if speech and not self.in_turn:
            self.in_turn, self.barged_in = True, False
            return Turn.BEGAN
        if self.in_turn and agent_speaks and not self.barged_in:
            self.barged_in = True
            return Turn.BARGE_IN
        if self.in_turn and self.silence_s >= self.patience_s - 1e-9:
            self.in_turn = False
            return Turn.ENDED
        return None


def evaluation(material: Material, *, over_dbfs: float = -45.0) -> Evaluation:
    """By ears whose patience is in seconds."""

    def listening(patience: float, caller: Manner) -> Listening:
        del caller
        return Level(patience, over_dbfs=over_dbfs)

    return Evaluation(listening, material)


def clip() -> LabelledClip:
    return spoken(TEXT, GAPS_S)


# -- how turns end -------------------------------------------------------------------------------------------
def test_a_gap_is_from_the_last_sound_to_the_decision() -> None:
    endings = evaluation(Material([clip()])).endings("human", 0.5)
    assert [one.gap_s for one in endings.clips] == pytest.approx([0.5], abs=0.03)
    assert endings.gap_ms is not None
    assert endings.gap_ms.count == 1
    assert endings.answered_early == Share(0, 1)
    assert endings.unanswered == Share(0, 1)


def test_pauses_longer_than_the_patience_are_cut_off_and_no_others() -> None:
    endings = evaluation(Material([clip()])).endings("human", 0.9)
    assert {pause_s: endings.cut_off(pause_s).count for pause_s in PAUSES_S} == {
        0.6: 0,
        0.8: 0,
        1.0: 1,
        1.2: 1,
    }
    assert all(endings.cut_off(pause_s).of == 1 for pause_s in PAUSES_S)


def test_a_turn_ended_within_a_request_is_answered_early_and_measured_to_its_true_end() -> None:
    halting = spoken("想听歌曲", [0.02, 0.5, 0.02, 0.02])
    eager = evaluation(Material([halting])).endings("human", 0.3)
    assert eager.answered_early == Share(1, 1)
    assert [one.gap_s for one in eager.clips] == pytest.approx([0.3], abs=0.03)
    patient = evaluation(Material([halting])).endings("human", 0.7)
    assert patient.answered_early == Share(0, 1)


def test_clips_follow_one_another_in_calls_and_each_pause_has_calls_of_its_own() -> None:
    callers: list[Manner] = []

    def listening(patience: float, caller: Manner) -> Listening:
        callers.append(caller)
        return Level(patience)

    Evaluation(listening, Material([clip()] * (CALL_TURNS + 1))).endings("human", 0.9)
    runs = [len(list(same)) for _, same in itertools.groupby(map(id, callers))]
    assert runs == [CALL_TURNS, 1] * (1 + len(PAUSES_S))


def test_an_ear_that_hears_nothing_answers_nothing() -> None:
    endings = evaluation(Material([clip()]), over_dbfs=0.0).endings("human", 0.5)
    assert endings.unanswered == Share(1, 1)
    assert endings.gap_ms is None


def test_a_clip_without_a_place_for_a_pause_counts_for_gaps_only() -> None:
    endings = evaluation(Material([spoken("您好", [0.1, 0.1])])).endings("human", 0.5)
    assert endings.cut_off(0.8) == Share(0, 0)
    assert endings.gap_ms is not None


def test_each_patience_gives_a_row_of_each_kind_there_is() -> None:
    figures = evaluation(Material([clip()])).run([0.3, 0.9])
    assert [(row.kind, row.patience) for row in figures.endings] == [("human", 0.3), ("human", 0.9)]
    gaps = [row.gap_ms.p50 for row in figures.endings if row.gap_ms]
    assert gaps[1] - gaps[0] == pytest.approx(600, abs=30)
    assert figures.over_agent is None
    assert figures.in_noise == ()


# -- in the recogniser's place -----------------------------------------------------------------------------
def test_words_come_when_they_have_been_said_and_a_little_later() -> None:
    one = clip()
    words = StandIn(one, lag_s=0.2)
    words.turn_began(one.first_s + 0.1)
    assert words.partial(one.said_s[3] + 0.19) == TEXT[:3]
    assert words.partial(one.said_s[3] + 0.21) == TEXT[:4]
    assert words.partial(one.last_s + 0.21) == TEXT


def test_a_second_turn_has_its_own_words_only() -> None:
    one = spoken("想听歌曲", [0.02, 1.5, 0.02, 0.02])
    words = StandIn(one)
    words.turn_began(one.first_s + 0.1)
    assert words.partial(one.said_s[1] + 1.0) == "想听"
    words.turn_began(one.said_s[1] + 1.6)
    assert words.partial(one.last_s + 0.5) == "歌曲"


def test_words_have_no_punctuation() -> None:
    words = StandIn(spoken("想听，歌曲。", [0.02] * 4))
    assert words.partial(100.0) == "想听歌曲"


def test_the_ear_gets_words_only_within_a_turn_and_what_was_asked() -> None:
    one = clip()
    ear = Level(0.5)
    seen = list(play(ear, one.pcm, StandIn(one), asked=Asked("digits", 11)))
    assert [each.turn for each in seen] == [Turn.BEGAN, Turn.ENDED]
    partials = [partial for _, _, partial in ear.heard]
    assert partials[round(seen[0].at_s / FRAME_S) - 1] == ""
    assert partials[round(seen[1].at_s / FRAME_S) - 1] == TEXT
    assert set(partials[round(seen[1].at_s / FRAME_S) :]) == {""}
    assert (ear.expects, ear.digits) == ("digits", 11)


def test_an_interrupted_agent_falls_silent() -> None:
    ear = Level(0.5)
    voice = np.full(SAMPLE_RATE * 20, 3000, "<i2").tobytes()
    seen = list(play(ear, clip().pcm, sent=voice))
    stopped = next(round(one.at_s / FRAME_S) for one in seen if one.turn is Turn.BARGE_IN)
    assert all(speaks and sent == voice[:FRAME_BYTES] for sent, speaks, _ in ear.heard[:stopped])
    assert all(not speaks and sent is SILENCE for sent, speaks, _ in ear.heard[stopped:])


def test_an_agent_that_has_finished_is_silent_too() -> None:
    ear = Level(0.5)
    list(play(ear, bytes(FRAME_BYTES * 5), sent=bytes(range(200)) * 2))
    assert [speaks for _, speaks, _ in ear.heard] == [True, True, False, False, False]


def test_a_held_agent_goes_on_where_it_was_and_a_stopped_one_only_after_a_false_alarm() -> None:
    agent = Agent(b"".join(bytes([number]) * FRAME_BYTES for number in range(1, 7)))
    assert agent.send()[0] == 1
    agent.obey(Turn.HOLD)
    assert agent.send() is SILENCE
    assert agent.speaks
    agent.obey(Turn.RELEASE)
    assert agent.send()[0] == 2
    agent.obey(Turn.HOLD)
    agent.obey(Turn.BARGE_IN)
    assert not agent.speaks
    assert agent.send() is SILENCE
    agent.obey(Turn.FALSE_ALARM)
    assert agent.send()[0] == 3
    agent.obey(Turn.HOLD)
    agent.obey(Turn.ENDED)
    assert agent.send()[0] == 4


class Scripted(Level):
    """Decides by the number of the frame."""

    def __init__(self, script: dict[int, Turn]) -> None:
        super().__init__(0.5)
        self.script = script

    def take(self, frame: bytes, sent: bytes, *, agent_speaks: bool, partial: str) -> Turn | None:
        super().take(frame, sent, agent_speaks=agent_speaks, partial=partial)
        return self.script.get(len(self.heard))


@pytest.mark.parametrize(
    ("script", "stopped", "silent_s", "held"),
    [
        ({100: Turn.BEGAN, 105: Turn.HOLD, 110: Turn.BARGE_IN}, 1, 2.1, 0),
        ({100: Turn.BEGAN, 105: Turn.HOLD, 108: Turn.RELEASE, 110: Turn.BARGE_IN}, 1, 2.2, 1),
        ({100: Turn.BEGAN, 105: Turn.HOLD, 108: Turn.RELEASE}, 0, None, 1),
        ({100: Turn.BEGAN, 105: Turn.HOLD, 108: Turn.ENDED}, 0, None, 1),
        ({100: Turn.BEGAN, 110: Turn.BARGE_IN}, 1, 2.2, 0),
        ({}, 0, None, 0),
    ],
)
def test_the_agent_is_silent_from_the_hold_that_became_an_interruption(
    script: dict[int, Turn], stopped: int, silent_s: float | None, held: int
) -> None:
    one = clip()
    run = Evaluation(lambda *_: Scripted(script), Material([one], backchannels=[one]))
    over = run.run([1.0]).over_agent
    assert over is not None
    assert over.backchannels == Share(stopped, 1)
    assert over.held["backchannels"] == Share(held, 1)
    silent = over.interruptions_ms["human"]
    assert (silent and silent.p50) == (silent_s and round((silent_s - one.first_s) * 1000))


def test_only_those_who_say_a_number_were_asked_for_one() -> None:
    assert asked_for("想听歌曲") == Asked()
    assert asked_for("一三五一五零八二一九二") == Asked("digits", 11)
    assert asked_for("八八六四，八五七三。") == Asked("digits", 0)
    assert asked_for("设定二十九度") == Asked()


# -- over the agent, and in noise ----------------------------------------------------------------------------
def test_what_stops_the_agent_is_told_apart() -> None:
    loud, quiet = pcm(tone(1.0)), pcm(hush(1.0))
    noises = [Noise("a.wav", loud, False), Noise("a.wav", quiet, False), Noise("b_en.wav", loud, True)]
    material = Material([clip()], backchannels=[clip(), clip()], noises=noises)
    over = evaluation(material).run([0.5]).over_agent
    assert over is not None
    assert over.backchannels == Share(2, 2)
    assert over.noise == Share(1, 2)
    assert over.noise_by_file == {"a.wav": Share(1, 2), "b_en.wav": Share(1, 1)}
    assert over.voices == Share(1, 1)
    assert over.unheard == {"human": Share(0, 1)}
    stopped = over.interruptions_ms["human"]
    assert stopped is not None
    assert stopped.p50 == pytest.approx(40, abs=25)  # the first frame begins the turn, the second stops


def test_an_echo_stops_an_ear_that_hears_it_and_no_other() -> None:
    material = Material([], backchannels=[clip()])
    keen, dull = (evaluation(material, over_dbfs=over).run([0.5]).over_agent for over in (-55.0, -30.0))
    assert keen is not None
    assert dull is not None
    assert keen.echo == Share(4, 4)
    assert dull.echo == Share(0, 4)


def test_an_echo_is_20_db_below_late_and_of_what_was_really_said() -> None:
    class Keeping(Level):
        def take(self, frame: bytes, sent: bytes, *, agent_speaks: bool, partial: str) -> Turn | None:
            received.append(frame)
            return super().take(frame, sent, agent_speaks=agent_speaks, partial=partial)

    received: list[bytes] = []
    voice = (
        (8000 * np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)).astype("<i2").tobytes()
    )
    ear = Keeping(0.5, over_dbfs=-38.0)  # the echo, at -35 dBFS, stops the agent
    seen = list(play(ear, open_line(2.0), sent=voice, echo=Echo(0.3, -20.0)))
    assert [one.turn for one in seen] == [Turn.BEGAN, Turn.BARGE_IN, Turn.ENDED]
    assert seen[0].at_s == pytest.approx(0.32)
    levels = [level_dbfs(frame) for frame in received]
    assert max(levels[:15]) < -55
    assert levels[16] == pytest.approx(level_dbfs(voice) - 20, abs=0.5)
    assert max(levels[34:]) < -55  # two frames more were said before the agent stopped: 0.34 s and the delay


def test_noise_hides_callers_from_an_ear_that_is_dull_and_starts_turns_of_one_that_is_keen() -> None:
    material = Material([clip()], backgrounds=[("pink", False, pink_noise())])
    dull = evaluation(material, over_dbfs=0.0).run([0.5]).in_noise[0]
    assert (dull.missed, dull.late, dull.false_starts) == (Share(1, 1), Share(0, 1), 0)
    keen = evaluation(material, over_dbfs=-80.0).run([0.5]).in_noise[0]
    assert (keen.missed, keen.late, keen.false_starts) == (Share(0, 1), Share(0, 1), 1)  # one that never ends


def test_noise_is_added_at_its_level_and_begins_before_the_caller() -> None:
    one = clip()
    noisy = in_noise(one, pink_noise(), 10)
    assert noisy.first_s - one.first_s == pytest.approx(2.0)
    assert noisy.duration_s - one.duration_s == pytest.approx(2.0)
    speech = one.pcm[round(one.first_s * SAMPLE_RATE) * 2 : round(one.last_s * SAMPLE_RATE) * 2]
    before = noisy.pcm[: round(LEAD_S * SAMPLE_RATE) * 2]
    assert level_dbfs(before) == pytest.approx(level_dbfs(speech) - 10, abs=2.5)
    assert level_dbfs(noise_only(pink_noise(), -36, 3.0)) == pytest.approx(-36, abs=1)


def test_noise_clips_come_from_all_files_and_from_other_places_in_each(tmp_path: Path) -> None:
    rising = np.linspace(0, 1, 4 * SAMPLE_RATE) * 5000 * np.sin(np.arange(4 * SAMPLE_RATE))
    write_wav(tmp_path / "a.wav", rising.astype("<i2").tobytes(), SAMPLE_RATE)
    write_wav(tmp_path / "door.wav", pcm(tone(0.2)), SAMPLE_RATE)
    clips = noise_clips(sorted(tmp_path.glob("*.wav")), 6)
    assert [one.name for one in clips] == ["a.wav", "door.wav"] * 3
    assert len({one.pcm for one in clips}) == 6
    door = np.frombuffer(clips[1].pcm, "<i2")
    assert np.count_nonzero(np.abs(door) > 500) < 0.2 * SAMPLE_RATE
    assert [one.duration_s for one in clips] == [3.0] * 6


def test_a_recordings_name_tells_whether_somebody_talks_in_it() -> None:
    assert has_voices(Path("street_mobile_en.wav"))
    assert has_voices(Path("bar-voices.wav"))
    assert not has_voices(Path("street.wav"))


def test_synthetic_callers_say_their_words_at_a_telephones_level() -> None:
    (one,) = synthetic_clips([("您好请问", "f5")])
    assert (one.kind, one.text, one.name) == ("synthetic", "您好请问", "f5: 您好请问")
    speech = one.pcm[round(one.first_s * SAMPLE_RATE) * 2 : round(one.last_s * SAMPLE_RATE) * 2]
    assert level_dbfs(speech) == pytest.approx(-26, abs=2)
    assert len(agent_speech()) > 15 * 2 * SAMPLE_RATE


def test_figures_of_nothing() -> None:
    assert Delays.of_all([]) is None
    assert str(Share(0, 0)) == "0 of 0"
    assert str(Share(1, 4)) == "1 of 4 (25.0%)"
    assert Delays.of_all([0.1, 0.2, 0.3]) == Delays(200, 290, 3)
