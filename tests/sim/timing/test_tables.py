"""The tables of timed calls: what they may say, what fails, and what a failure tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sim.fakes import voiced_frames
from tests.sim.timing.judge import judge
from tests.sim.timing.player import Played, play
from tests.sim.timing.sounds import AGENT_VOICE, OTHER_VOICE, NoiseKind, noise
from tests.sim.timing.table import Timed, load
from voice.media import SILENCE
from voice.vad import SpeechDetector

pytestmark = [pytest.mark.sim]

LIGHT = {"dialog": [{"says": ["请您放心，", "马上就来。"]}]}
ASKED: dict[str, Any] = {"name": "test", "caller": [{"at": 0.5, "says": "路灯坏了"}], **LIGHT}


def played(**row: Any) -> Played:
    return play(Timed.model_validate({**ASKED, **row}))


def test_each_spells_out_a_scenario_for_each(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "- {name: '{it} is heard', each: [嗯, 对], expect: [{agent: '{GOODBYE}{it}'}]}", encoding="utf-8"
    )
    assert [(str(timed), timed.expect[0].agent) for timed in load(tmp_path)] == [
        ("a: 嗯 is heard", "感谢您的来电，再见。嗯"),
        ("a: 对 is heard", "感谢您的来电，再见。对"),
    ]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("[{name: x, expect: [{agent: '{NO_SUCH}'}]}]", "NO_SUCH"),
        ("[{name: x, expect: []}]", "at least 1"),
        ("[{name: x, expect: [{turns: 1, tickets: 0}]}]", "expects one thing"),
        ("[{name: x, expect: [{turns: 1, within_ms: 3}]}]", "belong to a row with agent"),
        ("[{name: x, caller: [{says: 喂, keys: '1'}], expect: [{turns: 1}]}]", "one of: says"),
        ("[{name: x, caller: [{noise: cough}], expect: [{turns: 1}]}]", "needs lasts_s"),
        ("[{name: x, caller: [{sings: 喂}], expect: [{turns: 1}]}]", "sings"),
    ],
)
def test_a_table_that_is_wrong_is_refused(rows: str, error: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rows, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"(?s)a\.yaml, scenario 1 \(x\).*{error}"):
        list(load(tmp_path))


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        (
            {"agent": "请您放心，马上就来。", "within_ms": 100},
            "after the caller's last sound: .* not 0 to 100",
        ),
        ({"agent": "请您放心，马上就来。", "within_ms": [2000, 3000]}, "not 2000 to 3000"),
        ({"agent": "请您放心，"}, "more was said"),
        ({"agent": "请您放心…✂"}, "not as expected: '请您放心…✂'"),
        ({"agent": "马上就来。"}, "not as expected: '马上就来。'"),
        ({"agent": "请您放心…", "silent_within_ms": 100}, "nothing was said over"),
        ({"turns": 2}, "turns: 1, not 2"),
        ({"caller": ["灯"]}, "caller: "),
        ({"events": "barge_in"}, "events: '', not 'barge_in'"),
        ({"ends": "agent_hangup answered"}, "ends: 'caller_hangup answered'"),
        ({"tickets": 1}, "tickets: 0"),
        ({"replies": 0}, "replies: "),
    ],
)
def test_what_was_not_so_fails_and_tells_what_was_heard_when(expect: dict[str, Any], failure: str) -> None:
    rows = [{"agent": "请您放心，马上就来。"}] if "agent" not in expect else []
    with pytest.raises(AssertionError, match=f"(?s){failure}.*heard, from … to:.*0.50.*caller  路灯坏了"):
        judge(played(expect=[expect, *rows]))


def test_times_are_exact_to_a_frame() -> None:
    call = played(
        caller=[
            {"at": 0.5, "says": "路灯…坏了", "pause_s": 0.3},
            {"into": "马上", "at": 0.24, "noise": "door", "lasts_s": 0.04},
            {"later": 0.1, "noise": "door", "lasts_s": 0.04},
        ],
        expect=[{"turns": 1}],
    )
    at = {run.text: run.began_at for run in call.leg.heard}
    assert [
        round(call.caller[0].began_at - call.zero_at, 3),
        round(call.caller[0].ended_at - call.zero_at, 3),
        round(call.caller[1].began_at - at["马上就来。"], 3),
        round(call.caller[2].began_at - call.caller[1].ended_at, 3),
    ] == [0.5, 1.6, 0.24, 0.1]


def test_words_that_nobody_said_cannot_be_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"(?s)'没有这句话' was never heard.*heard, from … to:"):
        played(caller=[{"into": "没有这句话", "says": "喂"}], expect=[{"turns": 0}])


@pytest.mark.parametrize("voice", ["f5", OTHER_VOICE, AGENT_VOICE])
def test_voices_are_speech_but_for_a_dip_a_second(voice: str) -> None:
    detector = SpeechDetector()
    frames = [SILENCE] * 50 + voiced_frames(voice)
    heard = "".join("#" if detector.evidence(frame) else "." for frame in frames)[50:]
    assert max(map(len, heard.split("#"))) <= 4
    assert heard.count("#") > 0.9 * len(heard)


@pytest.mark.parametrize(("kind", "lasts_s"), [("door", 0.04), ("hiss", 2.0)])
def test_noises_are_no_speech(kind: NoiseKind, lasts_s: float) -> None:
    detector = SpeechDetector()
    assert not any([detector.evidence(frame) for frame in [SILENCE] * 50 + noise(kind, lasts_s, -18.0)])
