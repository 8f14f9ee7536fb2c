"""The command `hotline eval turns`: conversation timing on the user's own labelled speech."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hotline.console import err, out
from hotline.errors import UsageError

if TYPE_CHECKING:
    from hotline.line_conditions import Samples
    from hotline.settings import Settings
    from hotline.turn_clips import LabelledClip
    from hotline.turn_evaluation import Delays, Figures, Material, NewListening
    from hotline.turn_recognition import Recognition

_NOISE_CLIPS = 42
_SYNTHETIC = 60
_LEAST_BACKGROUND_S = 1.5  # of noise that is repeated under speech

_Patience = Annotated[
    list[float] | None,
    typer.Option(
        metavar="X",
        min=0.1,
        max=10,
        help="Factor on all waits for a turn's end; repeat it to see what waiting costs and saves.",
    ),
]
_NoiseFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="WAVs of noise (default: DATA/noise); in x_en.wav and x_voices.wav somebody talks.",
    ),
]
_Recognizer = Annotated[
    bool,
    typer.Option(
        "--recognizer", help="The configured recogniser hears the synthetic callers, not their texts."
    ),
]


def eval_turns(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Recordings with texts, as `hotline eval asr` takes them."),
    ],
    patience: _Patience = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the first N of each kind.")
    ] = None,
    noise: _NoiseFolder = None,
    recognizer: _Recognizer = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
    ] = None,
) -> int:
    """How soon and how politely turns are taken: gaps, cut-offs, interruptions, noise, echo.

    The real ear hears the recordings, and synthetic callers, over A-law, five in a call. The texts, released
    in step with the audio, take the recogniser's place.
    """
    from hotline.settings import load_settings
    from hotline.turn_evaluation import Evaluation

    settings = load_settings(config)
    material, left_out = load_material(data, noise, limit)
    patiences = list(dict.fromkeys(patience or [settings.turns.patience]))
    columns = TextColumn("{task.completed} stretches played"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None)
        evaluation = Evaluation(
            listening_of(settings),
            material,
            recognition=_recognition(settings) if recognizer else None,
            tell=lambda: bar.advance(task),
        )
        figures = evaluation.run(patiences)
    if as_json:
        document = {"data": str(data), "left_out": left_out, **_document(figures)}
        out.print(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        for line in left_out:
            err.print(f"left out: {line}")
        _print(figures)
    return 0


def _recognition(settings: Settings) -> Recognition:
    from hotline.knowledge import known_passages
    from hotline.speech import names_to_hear, open_recognizer
    from hotline.turn_recognition import Recognition

    names = names_to_hear(settings.asr, lambda: known_passages(settings), settings.dialog.gazetteer)
    return Recognition(open_recognizer(settings.asr, names))


def listening_of(settings: Settings) -> NewListening:
    """What opens the ear that a call has, with the settings' timing at the patience given."""
    from voice.endpointing import Endpointer, EndpointSettings
    from voice.listener import Listener
    from voice.turns import TurnSettings

    given = settings.turns.model_dump()
    turns = TurnSettings(**{one.name: given[one.name] for one in fields(TurnSettings) if one.name in given})
    ends = EndpointSettings(
        **{one.name: given[one.name] for one in fields(EndpointSettings) if one.name in given}
    )
    return lambda patience, caller: Listener(turns, Endpointer(replace(ends, patience=patience)), caller)


def load_material(
    data: Path, noise: Path | None = None, limit: int | None = None
) -> tuple[Material, list[str]]:
    """Everything there is to measure with, and what is left out. Raises UsageError."""
    from hotline.turn_evaluation import Material
    from hotline.turn_sounds import backchannels, noise_clips, noise_files, synthetic_clips

    folder = noise or data / "noise"
    files = noise_files(folder) if folder.is_dir() else []
    if noise is not None and not files:
        raise UsageError(f"{noise}: no WAVs of noise in it; name a folder that has some")
    clips, left_out = _recordings(data, limit)
    if not files:
        left_out.append("noise: there are no recordings of it; name a folder with --noise")
    material = Material(
        clips=[*clips, *synthetic_clips(_requests(min(limit or _SYNTHETIC, _SYNTHETIC)))],
        backchannels=backchannels()[:limit],
        noises=noise_clips(files, min(limit or _NOISE_CLIPS, _NOISE_CLIPS)) if files else (),
        backgrounds=_backgrounds(files),
    )
    return material, left_out


def _recordings(data: Path, limit: int | None) -> tuple[list[LabelledClip], list[str]]:
    from hotline.labelled_speech import NO_TEXT, load_clips
    from hotline.turn_clips import load

    found, skipped = load_clips(data, limit)
    left_out = [f"{one.name}: {one.reason}" for one in skipped if one.reason != NO_TEXT]
    clips = [load(one) for one in found]
    left_out += [
        f"{one.name}: no speech stands out in it"
        for one, clip in zip(found, clips, strict=True)
        if clip is None
    ]
    return [clip for clip in clips if clip is not None], left_out


def _requests(count: int) -> list[tuple[str, str]]:
    """So many of the sample knowledge's phrasings, from all over it, by all voices in turn."""
    from hotline.check import load_knowledge
    from hotline.turn_sounds import VOICES

    texts = [text for passage in load_knowledge("sample") for text in passage.phrasings]
    step = max(1, len(texts) // count)
    return [(text, VOICES[number % len(VOICES)]) for number, text in enumerate(texts[: step * count : step])]


def _backgrounds(files: Sequence[Path]) -> list[tuple[str, bool, Samples]]:
    from hotline.line_conditions import SAMPLE_RATE, pink_noise
    from hotline.turn_sounds import has_voices, noise_samples

    recorded = [(file.name, has_voices(file), noise_samples(file)) for file in files]
    long = [one for one in recorded if len(one[2]) >= _LEAST_BACKGROUND_S * SAMPLE_RATE]
    return [("pink noise", False, pink_noise()), *long]


def _document(figures: Figures) -> dict[str, Any]:
    """The figures as JSON takes them; a share is its count and the number it is of."""
    from hotline.turn_evaluation import PAUSES_S

    endings = [
        {
            "kind": row.kind,
            "patience": row.patience,
            "gap_ms": asdict(row.gap_ms) if row.gap_ms else None,
            "answered_early": asdict(row.answered_early),
            "unanswered": asdict(row.unanswered),
            "cut_off": {f"{pause_s:g}": asdict(row.cut_off(pause_s)) for pause_s in PAUSES_S},
            "clips": [asdict(clip) for clip in row.clips],
        }
        for row in figures.endings
    ]
    return {**asdict(figures), "endings": endings}


def _print(figures: Figures) -> None:
    from hotline.turn_evaluation import PAUSES_S, SNR_DB

    names = ["turns end", "patience", "gap ms p50 / p95", "answered early", "never answered"]
    cuts = [f"cut off in {pause_s:g} s" for pause_s in PAUSES_S]
    table = Table(*names, *cuts, box=None, pad_edge=False)
    for row in figures.endings:
        cells = [_delays(row.gap_ms), str(row.answered_early), str(row.unanswered)]
        cut_off = [str(row.cut_off(pause_s)) for pause_s in PAUSES_S]
        table.add_row(row.kind, f"{row.patience:g}", *cells, *cut_off)
    out.print(table)
    _print_over_agent(figures)
    noisy = Table(
        f"speech {SNR_DB:g} dB over", "missed", "late", "false starts a minute", box=None, pad_edge=False
    )
    for noise in figures.in_noise:
        name = f"{noise.noise} (somebody talks in it)" if noise.voices else noise.noise
        noisy.add_row(name, str(noise.missed), str(noise.late), f"{noise.false_starts / noise.minutes:.1f}")
    if figures.in_noise:
        out.print()
        out.print(noisy)
    out.print(f"\nprocessor time for a minute of audio, without recogniser: {figures.cpu_s_per_minute:.2f} s")
    if figures.recognition_cpu_s_per_minute is not None:
        out.print(f"and the recogniser, for a minute of speech: {figures.recognition_cpu_s_per_minute:.2f} s")
    out.print(
        "note: a gap is from the last sound to the decision that the turn is over; the reply, the line and "
        "playout come on top. All but the first table is measured with the first patience."
    )


def _print_over_agent(figures: Figures) -> None:
    over = figures.over_agent
    if over is None:
        return
    names = "while the agent speaks", "stops it", "holds it for a moment", "silent after ms p50 / p95"
    table = Table(*names, box=None, pad_edge=False)
    held = {name: str(share) for name, share in over.held.items()}
    table.add_row("嗯, 对, 好的", str(over.backchannels), held.get("backchannels"))
    for kind, delays in over.interruptions_ms.items():
        unheard = over.unheard[kind]
        stopped = f"{unheard.of - unheard.count} of {unheard.of}"
        table.add_row(f"interruptions, {kind}", stopped, "", _delays(delays))
    table.add_row("noise", str(over.noise), held.get("noise"))
    if over.voices.of:
        table.add_row("noise in which somebody talks", str(over.voices))
    for name, share in over.noise_by_file.items():
        if share.count:
            table.add_row(f"  {name}", str(share))
    table.add_row("its own echo at -20 dB", str(over.echo), held.get("echo"))
    out.print()
    out.print(table)


def _delays(delays: Delays | None) -> str:
    return f"{delays.p50:.0f} / {delays.p95:.0f}" if delays else ""
