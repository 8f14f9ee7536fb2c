"""The commands `hotline eval …`: measure the program on the user's own labelled data."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hotline.console import err, out
from hotline.errors import HotlineError, UsageError
from hotline.evaluation_intake import eval_intake
from hotline.evaluation_kb import eval_kb
from hotline.evaluation_turns import eval_turns
from hotline.sections import AsrSettings

if TYPE_CHECKING:
    from hotline.evaluation_figures import EngineResult, Figures, Spread
    from hotline.evaluation_report import About
    from hotline.labelled_speech import Skipped

app = typer.Typer(no_args_is_help=True, help="Measure on your own labelled data.")

_SHOWN = 10  # of what is skipped, of the worst clips and of the confusions; the JSON has more
# The setting that MODEL in --engine NAME:MODEL stands for.
_MODEL_KEYS = {
    "vosk": "model",
    "funasr": "funasr_streaming",
    "funasr-onnx": "funasr_streaming",
    "vosk-ws": "servers",
    "funasr-ws": "servers",
}


class Carried(str, Enum):
    """How speech is carried."""

    clean = "clean"
    alaw = "alaw"


# Each may be given several times.
_Engines = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[:MODEL]",
        help="An engine, with a model or a server; may be repeated. Default: the configured one.",
    ),
]
_Through = Annotated[
    list[Carried] | None,
    typer.Option(metavar="clean|alaw", help="How speech is carried; may be repeated."),
]
_Noise = Annotated[
    list[float] | None,
    typer.Option(metavar="DB", min=-20, max=60, help="Also with noise, speech DB above it; may be repeated."),
]
_Loss = Annotated[
    list[float] | None,
    typer.Option(metavar="PERCENT", min=0, max=100, help="Also with packets lost; may be repeated."),
]


@app.callback()
def _group() -> None:
    """Measure on your own labelled data."""


@app.command("asr")
def eval_asr(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder of WAVs with texts (x.txt, text, transcripts.txt, manifest.jsonl), or a .jsonl.",
        ),
    ],
    engine: _Engines = None,
    through: _Through = None,
    noise: _Noise = None,
    noise_file: Annotated[
        Path | None, typer.Option(metavar="WAV", help="This noise instead of pink noise.")
    ] = None,
    loss: _Loss = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the first N recordings.")
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, max=256, help="Recordings heard at once.")] = 1,
    paced: Annotated[
        bool, typer.Option("--paced", help="Feed at the speed of speech, which measures delays.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Also write a page with plots; it holds callers' words."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
    ] = None,
) -> int:
    """Let recognisers hear recordings whose text is known: errors, speed, delays, confidence."""
    from asr.vosk_model import BUILTIN_WARNING
    from hotline.asr_evaluation import Plan, measure
    from hotline.evaluation_report import About
    from hotline.knowledge import known_passages
    from hotline.labelled_speech import load_clips
    from hotline.line_conditions import combine
    from hotline.settings import load_settings
    from hotline.speech import names_to_hear

    settings = load_settings(config)
    engines = [_engine(settings.asr, spec) for spec in engine or ()] or [_configured(settings.asr)]
    if any(chosen.uses_builtin_model for _, chosen in engines):
        err.print(f"note: {BUILTIN_WARNING}")
    _check_report(report)
    _check_noise(noise, noise_file)
    clips, skipped = load_clips(data, limit)
    _tell_skipped(len(clips), skipped)
    conditions = combine([one.value for one in through or ()], noise or (), loss or ())
    plan = Plan(clips, conditions, noise_file, jobs, paced)
    passages, places = partial(known_passages, settings), settings.dialog.gazetteer
    results = [measure(name, one, names_to_hear(one, passages, places), plan) for name, one in engines]
    audio_s = sum(clip.duration_s for clip in clips)
    about = About(str(data), len(clips), audio_s, skipped, jobs, paced, datetime.now().astimezone())
    return _tell(about, results, as_json=as_json, report=report)


app.command("intake")(eval_intake)
app.command("turns")(eval_turns)
app.command("kb")(eval_kb)


def _configured(settings: AsrSettings) -> tuple[str, AsrSettings]:
    model = f":{settings.model}" if settings.engine == ("vosk",) else ""
    return "+".join(settings.engine) + model, settings


def _engine(configured: AsrSettings, spec: str) -> tuple[str, AsrSettings]:
    """The settings for `spec`, NAME or NAME:MODEL; all else as configured. Raises UsageError."""
    from pydantic import ValidationError

    name, _, model = spec.partition(":")
    if name not in _MODEL_KEYS:
        raise UsageError(f"--engine {spec}: no such engine; write {', '.join(_MODEL_KEYS)}, or NAME:MODEL")
    changes: dict[str, Any] = {"engine": [name]}
    if model:
        changes[_MODEL_KEYS[name]] = [model] if _MODEL_KEYS[name] == "servers" else model
    try:
        chosen = AsrSettings.model_validate({**configured.model_dump(), **changes})
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--engine {spec}: {said}; write NAME:MODEL, or set it in [asr]") from error
    return (spec, chosen) if model or name != "vosk" else (f"{name}:{chosen.model}", chosen)


def _check_report(report: Path | None) -> None:
    """What cannot be written is found out before the long run."""
    if report is not None:
        folder = report.parent
        if (
            report.is_dir()
            or not folder.is_dir()
            or not os.access(report if report.exists() else folder, os.W_OK)
        ):
            raise UsageError(f"{report}: cannot be written; name a file in a folder that is there")


def _check_noise(noise: Sequence[float] | None, file: Path | None) -> None:
    from hotline.speech import read_wav

    if file is not None:
        if not noise:
            raise UsageError("--noise-file needs --noise DB: how loud shall it be?")
        if not any(read_wav(file)):
            raise UsageError(f"{file}: there is no sound in it")


def _tell_skipped(clips: int, skipped: Sequence[Skipped]) -> None:
    for one in skipped[:_SHOWN]:
        err.print(f"skipped {one.name}: {one.reason}")
    if len(skipped) > _SHOWN:
        err.print(f"skipped {len(skipped) - _SHOWN} more; --json and --report list them all")
    if skipped:
        err.print(f"note: {clips} recordings are used, {len(skipped)} are skipped")


def _tell(about: About, engines: Sequence[EngineResult], *, as_json: bool, report: Path | None) -> int:
    """Print and write what was found; the exit code. Raises HotlineError when no engine got through."""
    failed = [engine for engine in engines if engine.error]
    if len(failed) == len(engines):
        kind = UsageError if failed[0].exit_code == UsageError.exit_code else HotlineError
        raise kind("; ".join(f"{engine.name}: {engine.error}" for engine in failed))
    if report is not None:
        from hotline.evaluation_report import render

        try:
            report.write_text(render(about, engines), encoding="utf-8")
        except OSError as error:
            raise HotlineError(f"{report}: cannot be written: {error.strerror or error}") from error
        err.print(f"note: {report} holds callers' words; keep it as you keep recordings")
    if as_json:
        out.print(json.dumps(_document(about, engines), ensure_ascii=False, indent=1))
    else:
        _print_tables(engines, paced=about.paced)
    for engine in failed:
        err.print(f"error: {engine.name}: {engine.error}")
    return 1 if failed else 0


def _document(about: About, engines: Sequence[EngineResult]) -> dict[str, Any]:
    from hotline.evaluation_figures import as_json

    return {
        "data": about.data,
        "made_at": about.made_at.isoformat(timespec="seconds"),
        "clips": about.clips,
        "audio_s": round(about.audio_s, 3),
        "skipped": [{"name": one.name, "reason": one.reason} for one in about.skipped],
        "jobs": about.jobs,
        "paced": about.paced,
        "engines": [as_json(engine, paced=about.paced) for engine in engines],
    }


def _print_tables(engines: Sequence[EngineResult], *, paced: bool) -> None:
    from hotline.evaluation_figures import all_confusions, figures, worst_first

    delays = ["first words ms", "final ms"] if paced else ["RTF wall"]
    names = [
        "engine",
        "line",
        "CER",
        "95 %",
        "sub",
        "del",
        "ins",
        "of",
        "clips wrong",
        "failed",
        "AUC",
        "RTF CPU",
    ]
    table = Table(*names, *delays, box=None, pad_edge=False)
    for engine in engines:
        for row in engine.rows:
            found = figures(row, paced=paced)
            table.add_row(engine.name, row.condition.name, *_cells(found, paced=paced))
    out.print(table)
    for engine in engines:
        if not engine.rows:
            continue
        loaded, peak = (_megabytes(size) for size in (engine.loaded_bytes, engine.peak_bytes))
        out.print(f"\n{engine.name}: loaded in {engine.load_s:.1f} s, memory {loaded}, at most {peak}")
        pairs = all_confusions(engine).most_common(_SHOWN)
        if pairs:
            out.print("  confused: " + ", ".join(f"{pair[0]}→{pair[1]} {count}" for pair, count in pairs))
        for clip in worst_first(engine.rows[0].clips)[:_SHOWN]:
            if clip.errors:
                out.print(f"  {clip.cer:4.0%}  {clip.name}: {clip.text} → {clip.error or clip.heard}")


def _cells(found: Figures, *, paced: bool) -> list[str]:
    wall = "" if found.real_time_factor_wall is None else f"{found.real_time_factor_wall:.3f}"
    return [
        f"{found.cer:.2%}",
        f"{found.cer_low:.1%} - {found.cer_high:.1%}",
        *map(str, (found.substitutions, found.deletions, found.insertions, found.characters)),
        f"{found.sentence_error_rate:.0%}",
        str(found.failed),
        "" if found.auc is None else f"{found.auc:.3f}",
        f"{found.real_time_factor_cpu:.3f}",
        *([_delay(found.first_words_ms), _delay(found.finalisation_ms)] if paced else [wall]),
    ]


def _delay(spread: Spread | None) -> str:
    return "" if spread is None else f"{spread.p50:.0f} / {spread.p95:.0f}"


def _megabytes(size: int | None) -> str:
    return "not known" if size is None else f"{size / 1e6:.0f} MB"
