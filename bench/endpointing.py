"""How long a silence ends a turn, on real people's speech and on texts: `python -m bench.endpointing`.

Measures `voice/endpointing.py` by itself, on the clips and inserted pauses of `hotline eval turns`: what the
caller has said is known to the character when the silence begins; the voice comes through A-law with the
line's noise. Times are seconds of silence; a call adds 0.12 to 0.18 s for detector, codec and playout. With
`--train FOLDER` the model of the words is made anew first (endpointing_training.py), with `--fit` the weights
of the voice are fitted and printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jieba
import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from hotline.labelled_speech import load_clips
from hotline.turn_clips import LabelledClip, load, sounds, with_pause
from voice.completeness import MODEL, log_odds, normalised
from voice.endpointing import Endpointer, EndpointSettings
from voice.phone import FRAME_BYTES, SAMPLE_RATE
from voice.prosody import KEPT_S, WEIGHTS, Prosody, finality, measure

ROOT = Path(__file__).parents[1]
SPEECH = ROOT.parent / "shared" / "data"
PAUSES_S = (0.6, 0.8, 1.0, 1.2)
PATIENCES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0)
LEAST_GAP_S = 0.2  # shorter silences within speech end no turn
REGULARISED = 0.01
HEARD = EndpointSettings(voice_weight=0.5)


@dataclass(frozen=True, slots=True)
class Silence:
    """What is known when a silence begins: `length_s` of it until the caller goes on, inf at the end."""

    name: str
    partial: str
    prosody: Prosody | None
    length_s: float


@dataclass(frozen=True, slots=True)
class Material:
    """Silences of one kind of clip."""

    ends: list[Silence]
    pauses: list[Silence]  # one per clip that has a place for one; how long, is not said
    gaps: list[Silence]  # that were there anyway


Judge = Callable[[Silence], float]


def material() -> Material:
    """The silences of the real people's clips."""
    found = Material([], [], [])
    for clip in load_clips(SPEECH)[0]:
        labelled = load(clip)
        if labelled is None:
            continue
        found.ends.append(Silence(clip.name, labelled.text, _prosody(labelled, labelled.last_s), np.inf))
        found.gaps.extend(_gaps(labelled))
        paused = with_pause(labelled, PAUSES_S[0])
        if paused is not None:
            voice = _prosody(paused.clip, paused.pause_start_s)
            found.pauses.append(Silence(clip.name, paused.before, voice, 0.0))
    return found


def _prosody(clip: LabelledClip, end_s: float) -> Prosody | None:
    begin_s = max(clip.first_s - 0.05, end_s - KEPT_S)
    pcm = clip.pcm[round(begin_s * SAMPLE_RATE) * 2 : round(end_s * SAMPLE_RATE) * 2]
    at = len(pcm) % FRAME_BYTES
    return measure([pcm[i : i + FRAME_BYTES] for i in range(at, len(pcm), FRAME_BYTES)])


def _gaps(clip: LabelledClip) -> list[Silence]:
    heard = sounds(np.frombuffer(clip.pcm, "<i2").astype(np.float64))
    edges = np.flatnonzero(np.diff(heard.astype(np.int8)))
    pairs = zip(edges[1:-1:2], edges[2:-1:2], strict=True)
    lengths = [((begin + 1) / 100, (end - begin) / 100) for begin, end in pairs]
    return [
        Silence(clip.name, clip.said(begin_s), _prosody(clip, begin_s), length_s)
        for begin_s, length_s in lengths
        if length_s >= LEAST_GAP_S
    ]


def fit(ends: Sequence[Silence], pauses: Sequence[Silence]) -> tuple[float, float, float]:
    """Weights of `finality` by logistic regression, both kinds counting the same; lightly regularised."""
    voices = [
        (one.prosody, label) for label, kind in ((1.0, ends), (0.0, pauses)) for one in kind if one.prosody
    ]
    rows = np.array([(voice.level_db, voice.periodicity, 1.0) for voice, _ in voices if voice])
    labels = np.array([label for _, label in voices])
    shares = np.where(labels == 1, 0.5 / labels.sum(), 0.5 / (1 - labels).sum())
    scale = np.array([rows[:, 0].std(), rows[:, 1].std(), 1.0])
    rows, weights = rows / scale, np.zeros(3)
    for _ in range(20):  # Newton's steps
        chances = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (shares * (labels - chances)) - REGULARISED * weights
        curve = (rows.T * (shares * chances * (1 - chances))) @ rows + REGULARISED * np.eye(3)
        weights = weights + np.linalg.solve(curve, slope)
    level, periodicity, nothing = weights / scale
    return float(level), float(periodicity), float(nothing)


def crossed(found: Material) -> Judge:
    """The log-odds by the voice alone, of weights fitted without the speaker judged."""
    fitted = {
        speaker: fit(
            [one for one in found.ends if _speaker(one.name) != speaker],
            [one for one in found.pauses if _speaker(one.name) != speaker],
        )
        for speaker in {_speaker(one.name) for one in found.ends}
    }
    return lambda one: finality(one.prosody, fitted[_speaker(one.name)]) if one.prosody else 0.0


def _speaker(name: str) -> str:
    """AISHELL's speaker; Common Voice's are many and count as one."""
    return name.rpartition("BAC009")[2][:5] if "BAC009" in name else ""


def area(ends: Sequence[float], pauses: Sequence[float]) -> float:
    """The chance that of an end and a pause the end is judged more likely one: 0.5 is guessing."""
    return float(np.mean([(end > pause) + 0.5 * (end == pause) for end in ends for pause in pauses]))


def judged(title: str, rows: Sequence[tuple[str, Judge]], found: Material, console: Console) -> None:
    """One line per way to judge: waits after complete requests, and how many pauses end the turn."""
    pauses = [f"cut {pause_s:g} s, %" for pause_s in PAUSES_S]
    table = Table("", "p50 s", "p95 s", "above 1 s, %", "early, %", *pauses, title=title)
    for name, judge in rows:
        ends = [judge(one) for one in found.ends]
        waits = [judge(one) for one in found.pauses]
        early = {one.name for one in found.gaps if judge(one) <= one.length_s}
        cut = [100 * float(np.mean([wait <= pause_s for wait in waits])) for pause_s in PAUSES_S]
        figures = [100 * float(np.mean(np.array(ends) > 1.0)), 100 * len(early) / len(ends), *cut]
        p50, p95 = np.percentile(ends, [50, 95], method="nearest")
        table.add_row(name, f"{p50:.2f}", f"{p95:.2f}", *(f"{figure:.0f}" for figure in figures))
    console.print(table)


def by_settings(settings: EndpointSettings, voice: Callable[[Prosody], float] = finality) -> Judge:
    """Seconds, as in a call."""
    endpointer = Endpointer(settings, voice)
    return lambda one: endpointer.patience_s(one.partial, prosody=one.prosody)


def people(console: Console) -> None:
    """The tables about real people's clips."""
    found = material()
    console.print(
        f"{len(found.ends)} clips, {len(found.pauses)} with a pause, {len(found.gaps)} silences within"
    )
    voice = crossed(found)
    words: Judge = lambda one: log_odds(normalised(one.partial))  # noqa: E731
    both: Judge = lambda one: words(one) + HEARD.voice_weight * voice(one)  # noqa: E731
    table = Table("told apart by", "area under the curve", title="ends and pauses")
    for name, judge in (("words", words), ("voice", voice), ("both", both)):
        figure = area([judge(one) for one in found.ends], [judge(one) for one in found.pauses])
        table.add_row(name, f"{figure:.3f}")
    for speaker in sorted({_speaker(one.name) for one in found.ends}):
        mine = [
            [voice(one) for one in kind if _speaker(one.name) == speaker]
            for kind in (found.ends, found.pauses)
        ]
        table.add_row(f"voice, {speaker or 'Common Voice'}, fitted on the others", f"{area(*mine):.3f}")
    console.print(table)

    def unseen(one: Silence) -> float:  # the voice's weights are of other speakers
        return Endpointer(HEARD, lambda _: voice(one)).patience_s(one.partial, prosody=one.prosody)

    shipped = EndpointSettings()
    whole = [
        ("words only, as shipped", by_settings(shipped)),
        ("voice only", lambda one: Endpointer(shipped).wait_s(voice(one))),
        ("both, voice of other speakers", unseen),
        ("both, voice of the same speakers", by_settings(HEARD)),
        ("0.5 s for everybody", lambda _: 0.5),
    ]
    judged("seconds of silence that end a turn", whole, found, console)
    moved = [(f"patience {p:g}", by_settings(EndpointSettings(patience=p))) for p in PATIENCES]
    judged("as patience moves", moved, found, console)


def texts(console: Console) -> None:
    """Whole requests and their beginnings, by words alone."""
    knowledge = [
        text.rstrip("？")
        for file in sorted((ROOT / "dialog" / "knowledge").glob("*.yaml"))
        for passage in yaml.safe_load(file.read_text("utf-8"))["passages"]
        for text in (passage["question"], *passage["phrasings"])
    ]
    heldout = ROOT / "bench" / "heldout"
    lists = {"sample knowledge": knowledge}
    for name in ("sentences_dev", "sentences", "short_dev", "short"):
        lists[name] = (heldout / f"{name}.txt").read_text("utf-8").split()
    endpointer = Endpointer(EndpointSettings())
    table = Table(
        "whole", "texts", "p50 s", "p95 s", "broken off", "ends within 0.6 s, %", "1.0 s", title="texts"
    )
    for name, lines in lists.items():
        waits = [endpointer.patience_s(line) for line in lines]
        begins = np.array([endpointer.patience_s(begin) for line in lines for begin in beginnings(line)])
        p50, p95 = np.percentile(waits, [50, 95])
        shares = [100 * float(np.mean(begins <= limit_s)) for limit_s in (0.6, 1.0)]
        table.add_row(
            name,
            str(len(lines)),
            f"{p50:.2f}",
            f"{p95:.2f}",
            str(len(begins)),
            *(f"{one:.0f}" for one in shares),
        )
    console.print(table)


def beginnings(text: str) -> list[str]:
    """Of two characters and more, up to each word's end."""
    words = list(jieba.cut(text))
    begins = ["".join(words[:count]) for count in range(1, len(words))]
    return [begin for begin in begins if len(begin) >= 2]


def cost(console: Console) -> None:
    """Milliseconds of a decision on words not met before, and of measuring a voice."""
    endpointer = Endpointer(EndpointSettings())
    chance = np.random.default_rng(1)
    frames = [chance.normal(0, 3000, 160).astype("<i2").tobytes() for _ in range(50)]
    lines = [f"{number}我家楼下有个工地半夜还在打桩能不能管一管" for number in "甲乙丙丁戊己庚辛壬癸" * 1]
    begin_s = time.perf_counter()
    for line in lines:
        endpointer.patience_s(line)
    decided_s = time.perf_counter()
    for _ in range(20):
        measure(frames)
    measured_s = time.perf_counter()
    decision_ms, voice_ms = (decided_s - begin_s) / len(lines) * 1000, (measured_s - decided_s) / 20 * 1000
    console.print(f"a decision {decision_ms:.2f} ms, measuring a voice {voice_ms:.2f} ms")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, metavar="FOLDER", help="make the model of the words anew first")
    parser.add_argument("--fit", action="store_true", help="print weights of the voice fitted to all clips")
    options = parser.parse_args()
    console = Console(width=130)
    if options.train:
        from bench.endpointing_texts import of_folder
        from bench.endpointing_training import train

        if not SPEECH.is_dir():
            parser.error("without the recordings nobody knows which texts are to be left out")
        train(MODEL, of_folder(options.train, [clip.text for clip in load_clips(SPEECH)[0]]))
    if options.fit:
        found = material()
        console.print("weights", fit(found.ends, found.pauses), "shipped", WEIGHTS)
    cost(console)
    texts(console)
    if SPEECH.is_dir():
        people(console)
    else:
        console.print(f"no recordings at {SPEECH.name}: people are not measured")


if __name__ == "__main__":
    main()
