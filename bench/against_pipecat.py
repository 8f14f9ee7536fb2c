"""Conversation timing of pipecat's defaults and of this agent, on the same calls.

`python -m bench.against_pipecat [--data DATA] [--venv FOLDER] [--clips N] [--json]`. pipecat is installed in
an environment of its own, thrown away unless --venv names a folder; bench/pipecat_worker.py runs its pipeline
there in virtual time. The calls, and what is counted in them, are those of `hotline eval turns`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table

from hotline.console import err, out
from hotline.evaluation_turns import listening_of, load_material
from hotline.line_conditions import SAMPLE_RATE
from hotline.settings import load_settings
from hotline.turn_clips import Kind, LabelledClip, with_pause
from hotline.turn_evaluation import (
    PAUSES_S,
    RESUMED_S,
    Delays,
    Ending,
    Endings,
    Evaluation,
    Material,
    Share,
)
from hotline.turn_playing import ASR_LAG_S

PIPECAT = "pipecat-ai==1.14.*"  # brings the models of Silero and of SmartTurn 3.2, needs no torch
WORKER = Path(__file__).with_name("pipecat_worker.py")
DATA = Path(__file__).parents[2] / "shared" / "data"
KINDS: tuple[Kind, ...] = ("synthetic", "human")


@dataclass(frozen=True, slots=True)
class Column:
    """What was measured of one agent."""

    endings: tuple[Endings, ...]
    backchannels: Share  # that end what the agent says
    held: Share | None  # that make it pause until it is clear what they are; None: it knows no such thing
    spoke_anew: Share | None  # after a backchannel; None where it is not measured
    interruptions_ms: Mapping[Kind, Delays | None]  # first sound to silence
    unheard: Mapping[Kind, Share]
    noise: Share
    voices: Share  # noise in which somebody talks
    cpu_s_per_minute: float


@dataclass(frozen=True, slots=True)
class Call:
    """What is played; `until`: the agent's doing, after a time, with which enough is known."""

    pcm: bytes
    clip: LabelledClip | None = None
    over_agent: bool = False  # the agent speaks all along
    until: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A call that was held; `events` are "sounding" and "silenced", as the caller hears the agent."""

    events: Sequence[tuple[float, str]]
    cpu_s: float
    heard_s: float

    def times(self, what: str) -> list[float]:
        """When it happened, in seconds of the audio."""
        return [at_s for at_s, event in self.events if event == what]


@dataclass(frozen=True, slots=True)
class Trial:
    """A clip and its calls: as it is, with each pause that it has a place for, over the agent's speech."""

    clip: LabelledClip
    pauses: dict[float, tuple[float, float]]  # begin and end, by length
    calls: tuple[Call, ...]


def trials(clips: Iterable[LabelledClip]) -> list[Trial]:
    """What is done with each clip."""
    found: list[Trial] = []
    for clip in clips:
        paused = {pause_s: one for pause_s in PAUSES_S if (one := with_pause(clip, pause_s))}
        asking = [clip, *(one.clip for one in paused.values())]
        calls = [Call(one.pcm, one, until=("sounding", one.last_s)) for one in asking]
        over = Call(clip.pcm, clip, over_agent=True, until=("silenced", 0.0))
        pauses = {pause_s: (one.pause_start_s, one.pause_end_s) for pause_s, one in paused.items()}
        found.append(Trial(clip, pauses, (*calls, over)))
    return found


def ending(trial: Trial, held: Sequence[Held]) -> Ending:
    """How the agent answered a clip; `held` is in the order of its calls."""
    answers = held[0].times("sounding")
    after_s = next((at_s for at_s in answers if at_s >= trial.clip.last_s), None)
    cut_off = {
        pause_s: any(begin_s <= at_s <= end_s + RESUMED_S for at_s in one.times("sounding"))
        for one, (pause_s, (begin_s, end_s)) in zip(held[1:-1], trial.pauses.items(), strict=True)
    }
    return Ending(
        trial.clip.name,
        None if after_s is None else round(after_s - trial.clip.last_s, 3),
        any(at_s < trial.clip.last_s for at_s in answers),
        cut_off,
    )


def stop_s(trial: Trial, held: Held) -> float | None:
    """How long after the clip's first sound the agent was silent; None where it went on."""
    stopped_s = next(iter(held.times("silenced")), None)
    return None if stopped_s is None else stopped_s - trial.clip.first_s


def spoke_anew(held: Held) -> bool:
    """Whether the agent, once stopped, said something else."""
    stopped = held.times("silenced")
    return bool(stopped) and any(at_s >= stopped[0] for at_s in held.times("sounding"))


def pipecat_column(material: Material, python: Path, folder: Path) -> Column:
    """What `hotline eval turns` counts, of pipecat."""
    asked = trials(material.clips)
    murmurs = [Call(clip.pcm, clip, over_agent=True) for clip in material.backchannels]
    noises = [Call(noise.pcm, over_agent=True, until=("silenced", 0.0)) for noise in material.noises]
    calls = [*(call for trial in asked for call in trial.calls), *murmurs, *noises]
    held = list(_hold(calls, python, folder))
    replies = iter(held)
    endings: dict[Kind, list[Ending]] = {kind: [] for kind in KINDS}
    stops: dict[Kind, list[float | None]] = {kind: [] for kind in KINDS}
    for trial in asked:
        one = [next(replies) for _ in trial.calls]
        endings[trial.clip.kind].append(ending(trial, one))
        stops[trial.clip.kind].append(stop_s(trial, one[-1]))
    murmured = [next(replies) for _ in murmurs]
    stopped = [(noise.voices, bool(next(replies).times("silenced"))) for noise in material.noises]
    return Column(
        endings=tuple(Endings(kind, 1.0, tuple(endings[kind])) for kind in KINDS),
        backchannels=Share.of_all(bool(one.times("silenced")) for one in murmured),
        held=None,
        spoke_anew=Share.of_all(map(spoke_anew, murmured)),
        interruptions_ms={kind: Delays.of_all([s for s in stops[kind] if s is not None]) for kind in KINDS},
        unheard={kind: Share.of_all(s is None for s in stops[kind]) for kind in KINDS},
        noise=Share.of_all(one for voices, one in stopped if not voices),
        voices=Share.of_all(one for voices, one in stopped if voices),
        cpu_s_per_minute=sum(one.cpu_s for one in held) / sum(one.heard_s for one in held) * 60,
    )


def own_column(material: Material) -> Column:
    """The same of this agent, with its present settings."""
    settings = load_settings(None)
    figures = Evaluation(listening_of(settings), material).run([settings.turns.patience])
    over = figures.over_agent
    if over is None:
        raise ValueError("the material has no backchannels: nothing is said over the agent")
    return Column(
        endings=figures.endings,
        backchannels=over.backchannels,
        held=over.held["backchannels"],
        spoke_anew=None,
        interruptions_ms=over.interruptions_ms,
        unheard=over.unheard,
        noise=over.noise,
        voices=over.voices,
        cpu_s_per_minute=figures.cpu_s_per_minute,
    )


def _hold(calls: Sequence[Call], python: Path, folder: Path) -> Iterator[Held]:
    """Each call, held by pipecat. Raises CalledProcessError."""
    script = folder / "calls.json"
    described = [_described(call, folder / f"{number}.wav") for number, call in enumerate(calls)]
    script.write_text(json.dumps(described), encoding="utf-8")
    command = [str(python), str(WORKER), str(script)]
    with (
        Progress(console=err, transient=True, disable=not err.is_terminal) as bar,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker,
    ):
        assert worker.stdout is not None
        for line in bar.track(worker.stdout, total=len(calls), description="pipecat"):
            yield Held(**json.loads(line))
    if worker.returncode:
        raise subprocess.CalledProcessError(worker.returncode, command)


def _described(call: Call, wav: Path) -> dict[str, Any]:
    """The call as the worker reads it; its sound goes into `wav`."""
    with wave.open(str(wav), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(call.pcm)
    said = zip(call.clip.said_s, call.clip.text, strict=True) if call.clip else ()
    return {
        "wav": str(wav),
        "words": [[said_s, character] for said_s, character in said if character.isalnum()],
        "lag_s": ASR_LAG_S,
        "greets": call.over_agent,
        "until": call.until,
    }


def _install(folder: Path) -> tuple[Path, str]:
    """The Python of an environment with pipecat in it, made where there is none; and pipecat's version."""
    python = folder / "bin" / "python"
    if not python.exists():
        err.print(f"installing {PIPECAT} in {folder}")
        venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", PIPECAT]
    subprocess.run(["nice", *pip], check=True, stdout=sys.stderr)
    ask = "from importlib.metadata import version; print(version('pipecat-ai'))"
    told = subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True)
    return python, told.stdout.strip()


def _rows(column: Column) -> Iterator[tuple[str, str]]:
    of = {one.kind: one for one in column.endings}
    for kind in (kind for kind in KINDS if kind in of):
        yield f"response gap, {kind}, ms p50 / p95", _delays(of[kind].gap_ms)
        yield f"no answer after the last sound, {kind}", str(of[kind].unanswered)
        yield f"answered in mid-request, {kind}", str(of[kind].answered_early)
        for pause_s in PAUSES_S:
            yield f"cut off in a pause of {pause_s:g} s, {kind}", str(of[kind].cut_off(pause_s))
    yield "嗯, 对, 好的 stops the agent", str(column.backchannels)
    yield "… makes it pause for a moment", str(column.held or "")
    yield "… and it then spoke anew", str(column.spoke_anew or "")
    for kind, delays in column.interruptions_ms.items():
        yield f"interruption: first sound to silence, {kind}, ms p50 / p95", _delays(delays)
        yield f"interruption not heard, {kind}", str(column.unheard[kind])
    yield "noise stops the agent", str(column.noise)
    yield "noise in which somebody talks stops the agent", str(column.voices)
    yield "processor time for a minute of audio, s", f"{column.cpu_s_per_minute:.2f}"


def _delays(delays: Delays | None) -> str:
    return f"{delays.p50:.0f} / {delays.p95:.0f}" if delays else ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=DATA, help="recordings, as `hotline eval turns` takes them"
    )
    parser.add_argument("--venv", type=Path, help="install pipecat here and keep it")
    parser.add_argument("--clips", type=int, metavar="N", help="only the first N of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def main() -> int:
    """Measure both and print them side by side."""
    given = _arguments()
    material, left_out = load_material(given.data, None, given.clips)
    material = replace(material, backgrounds=())
    for line in left_out:
        err.print(f"left out: {line}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        python, version = _install(given.venv or folder / "venv")
        theirs = pipecat_column(material, python, folder)
    ours = own_column(material)
    if given.json:
        columns = {"pipecat": theirs, "ours": ours}
        told = {name: {"table": dict(_rows(column)), **asdict(column)} for name, column in columns.items()}
        document = {"version": version, **told}
        out.print(json.dumps(document, ensure_ascii=False, indent=1))
        return 0
    table = Table("", f"pipecat {version}, defaults", "this agent", box=None, pad_edge=False)
    own = dict(_rows(ours))
    for name, cell in _rows(theirs):
        table.add_row(name, cell, own.get(name, ""))
    out.print(table)
    out.print(
        "note: pipecat's times include its models' processor time; both leave out the reply's making and the "
        "line. Recognition is a stand-in."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
