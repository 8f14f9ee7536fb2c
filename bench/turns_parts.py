"""The parts of the timing benchmark: what is said in each."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.speech import QUESTIONS, VOICES
from bench.turns_rows import (
    PAUSES_S,
    TALKING,
    Row,
    cpu_rows,
    echo_rows,
    human_rows,
    interruption_rows,
    requests_rows,
    stop_rows,
)
from bench.turns_run import Outcome, Run
from bench.turns_script import Clip, Item, Script, clip_of
from dialog.passages import load_passages
from hotline.labelled_speech import load_clips
from hotline.turn_clips import LabelledClip, load, with_pause
from hotline.turn_evaluation import asked_for
from hotline.turn_sounds import Noise, backchannels, noise_clips, noise_files, synthetic_clips

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "dialog" / "knowledge"
MORE_QUESTIONS = (
    "请问社保卡丢了怎么补办",
    "居住证怎么办理",
    "公积金贷款最多能贷多少钱",
    "身份证丢了怎么补办",
    "暖气费怎么交",
    "电费怎么交",
    "护照怎么办理",
    "年假有几天",
    "水费怎么算",
    "准生证怎么办",
    "低保怎么申请",
    "垃圾怎么分类",
    "怎么复印病历",
    "户口怎么分户",
    "加班费怎么算",
    "工伤怎么认定",
    "产假有多少天",
    "离婚怎么办理",
    "公交卡怎么办",
    "健康证在哪里办",
    "残疾证怎么办理",
    "老年证怎么办理",
    "电表过户怎么办",
    "最低工资是多少",
    "住院能报销多少",
    "退休手续怎么办",
    "二手房怎么过户",
)
SHORT_ANSWERS = (
    "可以的。",
    "好的，已经记下了。",
    "这件事当天就能办好。",
    "请到社区办理。",
    "可以在网上办理。",
)
NUMBER_PLEASE = "请说一下您的电话号码。"  # nobody says nothing but a number unasked
LONG_ANSWER = (
    "这件事可以在网上办理，也可以带上本人的身份证，到就近的政务服务大厅去办。材料齐全的当场就能办好，"
    "不收任何费用，办好以后会有短信通知您。如果您不方便出门，也可以请家里人带着委托书替您去办。"
)
LEAD_S, LEAD_OVER_S = 0.3, 0.1
OVER_S = (1.2, 1.6, 2.0, 2.4)  # of an answer, before it is interrupted
OVER_CALMLY_S = 1.5
NOISES = 42
PAUSED = 45  # clips with each pause
SPREAD = 3
MOST_PER_CALL = 12
ECHO_PACKETS = (5, 10, 15, 20)  # 100 to 400 ms
ECHO_CALLS = 3
CPU_TURNS = 24  # at most: three minutes or more


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its runs for so many calls at a time and turns, and the figures of their outcomes.

    One that is `everywhere` is measured at each number of calls, the others at the largest only. The runs of
    one that is `alone` are made one after the other, and only when it is asked for.
    """

    title: str
    runs: Callable[[int, int], list[Run]]
    rows: Callable[[Sequence[Outcome], int], list[Row]]
    everywhere: bool = True
    alone: bool = False


def requests(calls: int, turns: int) -> list[Run]:
    """Complete requests to a silent agent, whose answers are cut short so that more can be asked."""
    texts = (*QUESTIONS, *MORE_QUESTIONS)
    spoken = _synthetic([(text, voice) for text in texts for voice in VOICES][:turns], LEAD_S)
    items = [Item(clip.name) for clip in itertools.islice(itertools.cycle(spoken), turns)]
    answers = {passage.question: _short(passage.answer) for passage in load_passages(SAMPLE)}
    run = Run((), {clip.name: clip for clip in spoken}, stand_in=False, knowledge=answers)
    return _spread(run, [Script(tuple(some)) for some in _groups(items, calls)], calls)


def cpu(calls: int, turns: int) -> list[Run]:
    """Complete requests to one agent with the built-in recogniser, then to one with a stand-in elsewhere."""
    (run, *more) = requests(calls, min(turns, CPU_TURNS))
    scripts = tuple(script for some in (run, *more) for script in some.scripts)
    return [replace(run, scripts=scripts, stand_in=stand_in) for stand_in in (False, True)]


def human(calls: int, turns: int) -> list[Run]:
    """People, as they are and with pauses inserted; one call at a time fewer of those with pauses."""
    spoken = [clip for clip in _people() if clip is not None][:turns]
    plain = [clip_of(clip, LEAD_S) for clip in spoken]
    paused = [[_with_pause(clip, pause_s) for clip in spoken] for pause_s in PAUSES_S]
    each = max(1, turns - len(plain)) // len(PAUSES_S) if calls == 1 else min(turns, PAUSED)
    clips = [*plain, *(clip for some in paused for clip in [clip for clip in some if clip][: max(1, each)])]
    texts = sorted({clip.text for clip in clips})
    answers = dict(zip(texts, itertools.cycle(SHORT_ANSWERS), strict=False))
    answers |= {
        clip.text: NUMBER_PLEASE
        for clip, later in itertools.pairwise(clips)
        if asked_for(later.text).expects == "digits"
    }
    run = Run((), {clip.name: clip for clip in clips}, stand_in=True, knowledge=answers)
    items = [Item(clip.name) for clip in clips]
    return _spread(run, [Script(tuple(some)) for some in _groups(items, calls)], calls)


def interruptions(calls: int, turns: int) -> list[Run]:
    """Requests said over answers: half of them synthetic, half of them people."""
    half = math.ceil(turns / 2)
    opening = _synthetic(list(zip(QUESTIONS, itertools.cycle(VOICES), strict=False)), LEAD_S)
    texts = [
        prefix + text for prefix, text in zip(itertools.cycle(("", "", "等一下")), QUESTIONS, strict=False)
    ]
    spoken = _synthetic([(text, voice) for voice in VOICES for text in texts], LEAD_OVER_S, "over ")
    synthetic = Run((), {clip.name: clip for clip in (*opening, *spoken)}, stand_in=False)
    people = [clip_of(clip, LEAD_OVER_S) for clip in _people()]
    by_people = Run(
        (),
        {clip.name: clip for clip in people},
        stand_in=True,
        knowledge={clip.text: LONG_ANSWER for clip in people},
    )
    synthetic = replace(synthetic, scripts=tuple(_over(opening, spoken, half, calls)))
    return [synthetic, replace(by_people, scripts=tuple(_over(people, people[::-1], half, calls)))]


def said_over(calls: int, turns: int) -> list[Run]:
    """嗯, 对 and 好的 by every voice, over answers."""
    del turns
    return _calmly([clip_of(clip, LEAD_OVER_S) for clip in backchannels()], 3, calls)


def noises(calls: int, turns: int) -> list[Run]:
    """Stretches of noise, over answers."""
    del turns
    found = noise_clips(noise_files(DATA / "noise"), NOISES)
    return _calmly([_noise(noise, number) for number, noise in enumerate(found)], 2, calls)


def echo(calls: int, turns: int) -> list[Run]:
    """Questions on a line that returns the agent's own voice."""
    del turns
    asked = _synthetic(list(zip(QUESTIONS, itertools.cycle(VOICES), strict=False)), LEAD_S)
    names = itertools.cycle(clip.name for clip in asked)
    scripts = [
        Script((Item(next(names)), Item(next(names))), echo_packets=packets, to_the_end=True)
        for _ in range(ECHO_CALLS)
        for packets in ECHO_PACKETS
    ]
    return _spread(Run((), {clip.name: clip for clip in asked}, stand_in=False), scripts, calls)


# what is said


@functools.cache
def _people() -> list[LabelledClip]:
    found = [load(clip) for clip in load_clips(DATA / "manifest.jsonl")[0]]
    return [clip for clip in found if clip is not None]


def _synthetic(sayings: list[tuple[str, str]], lead_s: float, prefix: str = "") -> list[Clip]:
    return [clip_of(clip, lead_s, name=prefix + clip.name) for clip in synthetic_clips(sayings)]


def _with_pause(clip: LabelledClip, pause_s: float) -> Clip | None:
    paused = with_pause(clip, pause_s)
    if paused is None:
        return None
    place = (paused.pause_start_s, paused.pause_end_s)
    return clip_of(paused.clip, LEAD_S, name=f"{clip.name} {pause_s:g}", pause_s=place)


def _noise(noise: Noise, number: int) -> Clip:
    text = noise.name + (TALKING if noise.voices else "")
    stretch = LabelledClip(text, "synthetic", noise.pcm, text, 0.0, noise.duration_s, ())
    return clip_of(stretch, 0.0, name=f"{number} {text}")


def _short(answer: str) -> str:
    """The answer's first clause."""
    ends = [at for mark in "，。；：、？" if (at := answer.find(mark)) > 1]
    return answer[: min([*ends, 12])] + "。"


def _groups(items: Sequence[Item], calls: int) -> Iterator[list[Item]]:
    """The items of each call, so that all lines are busy to the end."""
    lines = SPREAD if calls == 1 else calls
    rounds = math.ceil(len(items) / lines / MOST_PER_CALL)
    size = math.ceil(len(items) / lines / rounds)
    return (list(items[at : at + size]) for at in range(0, len(items), size))


def _over(opening: Sequence[Clip], spoken: Sequence[Clip], count: int, calls: int) -> list[Script]:
    over = [
        Item(clip.name, over_s)
        for clip, over_s in itertools.islice(
            zip(itertools.cycle(spoken), itertools.cycle(OVER_S), strict=False), count
        )
    ]
    first = itertools.cycle(opening)
    return [Script((Item(next(first).name), *some)) for some in _groups(over, calls)]


def _calmly(spoken: Sequence[Clip], per_call: int, calls: int) -> list[Run]:
    asked = _synthetic(list(zip(QUESTIONS, itertools.cycle(VOICES), strict=False)), LEAD_S)
    names = itertools.cycle(clip.name for clip in asked)
    over = [Item(clip.name, OVER_CALMLY_S, asks=False) for clip in spoken]
    scripts = [Script((Item(next(names)), *over[at : at + per_call])) for at in range(0, len(over), per_call)]
    return _spread(Run((), {clip.name: clip for clip in (*asked, *spoken)}, stand_in=False), scripts, calls)


def _spread(run: Run, scripts: list[Script], calls: int) -> list[Run]:
    """With one call at a time on each of several agents, a run takes less time."""
    parts = min(SPREAD, len(scripts)) if calls == 1 else 1
    return [replace(run, scripts=tuple(scripts[at::parts])) for at in range(parts)]


PARTS = {
    "requests": Part("complete synthetic requests, built-in ASR", requests, requests_rows),
    "human": Part("human clips, recognition by a stand-in", human, human_rows),
    "interruptions": Part(
        "interruptions: caller's first sound to the agent's last", interruptions, interruption_rows
    ),
    "backchannels": Part(
        "嗯, 对, 好的 over the agent",
        said_over,
        stop_rows("it stops the agent", 0.05, "≤ 5%"),
        everywhere=False,
    ),
    "noises": Part(
        "noise over the agent",
        noises,
        stop_rows("it stops the agent", 1 / NOISES, "≤ 1 of 42"),
        everywhere=False,
    ),
    "cpu": Part("what calls cost", cpu, cpu_rows, alone=True),
    "echo": Part("the agent's own voice at -20 dB after 100 to 400 ms", echo, echo_rows, everywhere=False),
}
