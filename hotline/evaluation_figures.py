"""What a run over labelled speech gave, and the figures drawn from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hotline.line_conditions import Condition

_RESAMPLINGS = 1000
# Finer near 1, where recognisers put most of their words.
THRESHOLDS = (*(round(step / 100, 2) for step in range(100)), 0.995, 0.999, 1.0)


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One clip as one engine heard it; delays are None where they were not measured or nothing came."""

    name: str
    text: str
    heard: str
    characters: int  # of the text, as compared
    substitutions: int
    deletions: int
    insertions: int
    audio_s: float
    wall_s: float
    first_words_audio_s: float | None = None  # audio since the first sound when the first partial came
    first_words_ms: float | None = None  # from the first sound to the first partial
    finalisation_ms: float | None = None  # from the last audio to the final
    error: str = ""  # why the engine failed; then nothing was heard

    @property
    def errors(self) -> int:
        """Characters to change, add or take away."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def cer(self) -> float:
        """Errors by characters of the text; above 1 where more was heard than said."""
        return self.errors / self.characters


@dataclass(frozen=True, slots=True)
class RowResult:
    """All clips under one condition; `words` are (confidence, heard right), `confusions` (written, heard)."""

    condition: Condition
    clips: tuple[ClipResult, ...]
    words: tuple[tuple[float, bool], ...]
    confusions: Counter[tuple[str, str]]
    cpu_s: float


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One engine: memory is what its process grew by; `error` says in one line why there are no rows."""

    name: str
    rows: tuple[RowResult, ...] = ()
    load_s: float = 0.0
    loaded_bytes: int | None = None
    peak_bytes: int | None = None
    error: str = ""
    exit_code: int = 0  # what such an error ends the command with


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a delay."""

    p5: float
    p25: float
    p50: float
    p75: float
    p95: float


@dataclass(frozen=True, slots=True)
class Figures:
    """A row in figures. Rates are shares of 1; a real-time factor is seconds for one second of audio."""

    clips: int
    failed: int
    audio_s: float
    characters: int
    cer: float
    cer_low: float  # with cer_high: holds the rate with 95 %, were other clips of the kind taken
    cer_high: float
    substitutions: int
    deletions: int
    insertions: int
    sentence_error_rate: float
    real_time_factor_cpu: float
    real_time_factor_wall: float | None
    first_words_audio_s: Spread | None
    first_words_ms: Spread | None
    finalisation_ms: Spread | None
    auc: float | None


@dataclass(frozen=True, slots=True)
class Threshold:
    """Believing only words at least this confident: the shares of right and of wrong words that pass."""

    confidence: float
    right_kept: float
    wrong_kept: float


@dataclass(frozen=True, slots=True)
class Separation:
    """How well confidence tells right words from wrong ones; `auc` is None where it cannot be said."""

    right: tuple[float, ...]  # confidences
    wrong: tuple[float, ...]
    auc: float | None
    curve: tuple[Threshold, ...]


def figures(row: RowResult, *, paced: bool) -> Figures:
    """The figures of one row; a paced run has no factor by the wall clock, and only it has delays."""
    clips = row.clips
    audio_s = sum(clip.audio_s for clip in clips)
    errors, characters = [clip.errors for clip in clips], [clip.characters for clip in clips]
    low, high = bootstrap(errors, characters)
    return Figures(
        clips=len(clips),
        failed=sum(bool(clip.error) for clip in clips),
        audio_s=audio_s,
        characters=sum(characters),
        cer=sum(errors) / sum(characters),
        cer_low=low,
        cer_high=high,
        substitutions=sum(clip.substitutions for clip in clips),
        deletions=sum(clip.deletions for clip in clips),
        insertions=sum(clip.insertions for clip in clips),
        sentence_error_rate=sum(error > 0 for error in errors) / len(clips),
        real_time_factor_cpu=row.cpu_s / audio_s,
        real_time_factor_wall=None if paced else sum(clip.wall_s for clip in clips) / audio_s,
        first_words_audio_s=spread(clip.first_words_audio_s for clip in clips),
        first_words_ms=spread(clip.first_words_ms for clip in clips),
        finalisation_ms=spread(clip.finalisation_ms for clip in clips),
        auc=separation(row.words).auc,
    )


def bootstrap(errors: Sequence[int], characters: Sequence[int]) -> tuple[float, float]:
    """The 95 % interval of the error rate: clips are drawn again, with replacement, many times."""
    wrong, whole = np.asarray(errors), np.asarray(characters)
    chance = np.random.default_rng(95)
    drawn = (chance.integers(len(wrong), size=len(wrong)) for _ in range(_RESAMPLINGS))
    low, high = np.percentile([wrong[one].sum() / whole[one].sum() for one in drawn], [2.5, 97.5])
    return float(low), float(high)


def spread(values: Iterable[float | None]) -> Spread | None:
    """Percentiles of the values that are there; None where there is none."""
    present = [value for value in values if value is not None]
    return Spread(*map(float, np.percentile(present, [5, 25, 50, 75, 95]))) if present else None


def separation(words: Iterable[tuple[float, bool]]) -> Separation:
    """How well the confidences of `words` tell right from wrong.

    `auc` is the probability that a right word has more than a wrong one; None without words of both kinds
    and where all confidences are the same, because the engine gives none.
    """
    words = list(words)
    right = np.sort([confidence for confidence, is_right in words if is_right])
    wrong = np.sort([confidence for confidence, is_right in words if not is_right])
    auc, curve = None, []
    if right.size and wrong.size and min(right[0], wrong[0]) < max(right[-1], wrong[-1]):
        below = np.searchsorted(wrong, right, "left") + np.searchsorted(wrong, right, "right")
        auc = float(below.mean() / 2 / wrong.size)
        curve = [
            Threshold(value, _share_from(right, value), _share_from(wrong, value)) for value in THRESHOLDS
        ]
    return Separation(tuple(right.tolist()), tuple(wrong.tolist()), auc, tuple(curve))


def all_words(engine: EngineResult) -> Separation:
    """The engine's words under all conditions together."""
    return separation(word for row in engine.rows for word in row.words)


def all_confusions(engine: EngineResult) -> Counter[tuple[str, str]]:
    """The engine's confusions under all conditions together."""
    return sum((row.confusions for row in engine.rows), Counter())


def worst_first(clips: Iterable[ClipResult]) -> list[ClipResult]:
    """The clips by error rate, the longer first where it is the same."""
    return sorted(clips, key=lambda clip: (-clip.cer, -clip.errors, clip.name))


def as_json(engine: EngineResult, *, paced: bool) -> dict[str, Any]:
    """The engine's results as plain data, clips worst first."""
    words = all_words(engine)
    document = {
        "engine": engine.name,
        "error": engine.error or None,
        "load_s": engine.load_s,
        "memory_loaded_bytes": engine.loaded_bytes,
        "memory_peak_bytes": engine.peak_bytes,
        "rows": [_row_as_json(row, paced=paced) for row in engine.rows],
        "confidence": {
            "right_words": len(words.right),
            "wrong_words": len(words.wrong),
            "auc": words.auc,
            "curve": [asdict(point) for point in words.curve],
        },
    }
    rounded: dict[str, Any] = _rounded(document)
    return rounded


def _row_as_json(row: RowResult, *, paced: bool) -> dict[str, Any]:
    return {
        "condition": {"name": row.condition.name, **asdict(row.condition)},
        **asdict(figures(row, paced=paced)),
        "confusions": [
            {"written": written, "heard": heard, "count": count}
            for (written, heard), count in row.confusions.most_common(50)
        ],
        "per_clip": [{**asdict(clip), "cer": clip.cer} for clip in worst_first(row.clips)],
    }


def _share_from(ordered: np.ndarray[Any, np.dtype[np.float64]], value: float) -> float:
    return float(1 - np.searchsorted(ordered, value, "left") / ordered.size)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
