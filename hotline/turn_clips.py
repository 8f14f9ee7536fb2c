"""Labelled speech as stretches of telephone calls, with what conversation timing is measured against.

When the first and the last sound are, when each character has been said, where a speaker could pause. All
of it from the audio's level and the text alone, so it holds for any speaker; times are right to about 0.1 s
within a clip and to about 0.02 s at its ends.
"""

from __future__ import annotations

import functools
import itertools
import logging
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from asr.builtin.line import alaw
from hotline.labelled_speech import Clip
from hotline.line_conditions import SAMPLE_RATE, Samples
from hotline.speech import read_wav

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba asks for pkg_resources, which newer setuptools complain about
    import jieba

jieba.setLogLevel(logging.WARNING)

Kind: TypeAlias = Literal["human", "synthetic"]
Mask: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"

LEAD_S, TAIL_S = 1.0, 4.0  # of line noise around the speech
LEAST_NOISE_DBFS = -60.0  # a telephone line is never quieter
HOP_S = 0.01

_HOP = round(HOP_S * SAMPLE_RATE)
_RANGE_DB = 25.0  # this far below the loudest there is no speech, but a room's echo
_STRONG_DB = 10.0  # every word has sounds that are no further below
_ABOVE_NOISE_DB = 9.0  # speech is this much louder than the clip's own noise
_GAP_HOPS, _WORD_GAP_HOPS = 6, 15  # no longer gaps are within a sound (a stop's closure), a few words
_LEAST_HOPS, _LEAST_PITCHED_HOPS = 12, 6  # a shorter sound by itself, without or with a pitch, is a click
_PITCHES = range(20, 121)  # samples: 67 to 400 Hz
_PITCHED = 0.35  # of 1, the correlation with what was a pitch's length before
_BAND_FROM_HZ = 150.0  # a telephone carries little below; rooms rumble there
_AFTER_S = 0.5  # after the last sound there is only noise
_FADE_S = 0.01  # of the cuts around an inserted pause
_LEAST_SIDE_S, _LEAST_SIDE_CHARACTERS = 0.4, 2  # on each side of a pause
_NEAR_HOPS = 12  # a dip so near to a word's end is its end
_DIP_DB = 6.0  # what makes a dip: so much below the speech around it
_LEAST_DIGITS = 3  # that are said together

_VOWELS = re.compile(r"[aeiouy]+", re.IGNORECASE)
_LATIN = re.compile(r"[A-Za-z]+")
_SPOKEN = re.compile(r"[0-9A-Za-z㐀-鿿〇]")
_NUMBER = re.compile(r"[0-9〇零一二三四五六七八九幺两]{5,}")


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A stretch of a call: mono s16le at 8 kHz after A-law, with line noise around the speech.

    `first_s` is where the first sound begins, `last_s` where the last one ends; `said_s` has for each
    character of `text` when it has been said.
    """

    name: str
    kind: Kind
    pcm: bytes
    text: str
    first_s: float
    last_s: float
    said_s: tuple[float, ...]

    @property
    def duration_s(self) -> float:
        """All of it."""
        return len(self.pcm) / 2 / SAMPLE_RATE

    def said(self, at_s: float) -> str:
        """The text so far."""
        return self.text[: int(np.searchsorted(self.said_s, at_s + 1e-9, side="right"))]


@dataclass(frozen=True, slots=True)
class PausedClip:
    """A clip with a pause inserted; `before` is the text that comes before it."""

    clip: LabelledClip
    pause_start_s: float
    pause_end_s: float
    before: str


def load(clip: Clip, kind: Kind = "human") -> LabelledClip | None:
    """The recording as a stretch of a call; None where no speech stands out in it. Raises UsageError."""
    return labelled(clip.name, read_wav(clip.file), clip.text, kind)


def labelled(
    name: str, pcm: bytes, text: str, kind: Kind, *, lead_s: float = LEAD_S, tail_s: float = TAIL_S
) -> LabelledClip | None:
    """`pcm` (mono s16le at 8 kHz) in which `text` is said, as a stretch of a call; None without speech."""
    samples = _telephone_band(np.frombuffer(pcm, "<i2").astype(np.float64))
    sounding = sounds(samples)
    if not sounding.any():
        return None
    chance = np.random.default_rng(zlib.crc32(name.encode("utf-8", "replace")))
    lead, tail = (round(seconds * SAMPLE_RATE) for seconds in (lead_s, tail_s))
    noise = _noise_like(samples, sounding, lead + len(samples) + tail, chance)
    stretch = np.concatenate([noise[:lead], samples, noise[lead + len(samples) :]])
    # The recording's ends fade into the noise; under it lies as much noise as a line has at least.
    stretch = _crossfaded(stretch, noise, lead)
    stretch = _crossfaded(stretch[::-1], noise[::-1], tail)[::-1]
    missing = _power(LEAST_NOISE_DBFS) - float(np.mean(noise**2))
    if missing > 0:
        stretch = stretch + chance.normal(0, missing**0.5, len(stretch))
    voiced = np.flatnonzero(sounding)
    times = tuple(round(lead / SAMPLE_RATE + hop * HOP_S, 3) for hop in _said_hops(samples, sounding, text))
    first_s = round(lead / SAMPLE_RATE + int(voiced[0]) * HOP_S, 3)
    last_s = round(lead / SAMPLE_RATE + (int(voiced[-1]) + 1) * HOP_S, 3)
    return LabelledClip(name, kind, coded(stretch), text, first_s, last_s, times)


def with_pause(clip: LabelledClip, pause_s: float) -> PausedClip | None:
    """The clip with `pause_s` of its own noise where a speaker would pause; None where there is no place."""
    place = _pause_place(clip)
    if place is None:
        return None
    at, characters = place
    samples = np.frombuffer(clip.pcm, "<i2").astype(np.float64)
    chance = np.random.default_rng(zlib.crc32(clip.name.encode("utf-8", "replace")) + 1)
    pause, fade = round(pause_s * SAMPLE_RATE), round(_FADE_S * SAMPLE_RATE)
    quiet = samples[round((clip.last_s + _AFTER_S) * SAMPLE_RATE) :]
    noise = np.resize(np.roll(quiet, int(chance.integers(len(quiet)))), pause)
    falling = np.linspace(1, 0, fade)
    noise[:fade] += (samples[at : at + fade] - noise[:fade]) * falling
    noise[-fade:] += (samples[at - fade : at] - noise[-fade:]) * falling[::-1]
    whole = np.concatenate([samples[:at], noise, samples[at:]])
    return _paused(clip, whole, at / SAMPLE_RATE, pause_s, characters)


def sounds(samples: Samples) -> Mask:
    """Which hops of HOP_S hold speech: those that stand out of the clip's own noise."""
    levels = levels_dbfs(samples)
    none: Mask = np.zeros(len(levels), np.bool_)
    noise, loud = np.percentile(levels, [8, 97]) if levels.size else (0.0, 0.0)
    if loud < max(noise, LEAST_NOISE_DBFS) + _ABOVE_NOISE_DB:
        return none
    heard: Mask = levels > max(loud - _RANGE_DB, min(noise + _ABOVE_NOISE_DB, loud - _STRONG_DB))
    speech = none.copy()
    for begin, end in _runs(_closed(heard, _WORD_GAP_HOPS)):
        strong = levels[begin:end].max() > loud - _STRONG_DB  # else it is a breath or a click
        long, fair = end - begin >= _LEAST_HOPS, end - begin >= _LEAST_PITCHED_HOPS
        speech[begin:end] = strong and (long or (fair and _has_pitch(samples[begin * _HOP : end * _HOP])))
    return np.asarray(speech & _closed(heard, _GAP_HOPS))


def _has_pitch(sound: Samples) -> bool:
    """Whether it repeats itself as a syllable does, and a click does not."""
    for lag in _PITCHES:
        now, before = sound[lag:], sound[:-lag]
        if now.dot(before) > _PITCHED * (now.dot(now) * before.dot(before)) ** 0.5:
            return True
    return False


def levels_dbfs(samples: Samples) -> Samples:
    """The level of each hop of HOP_S, the last one filled up with silence; -90.0 for none."""
    hops = np.pad(samples, (0, -len(samples) % _HOP)).reshape(-1, _HOP)
    return np.asarray(10 * np.log10(np.maximum((hops**2).mean(axis=1), 1.0)) - 90.3)


def coded(samples: Samples) -> bytes:
    """`samples` through A-law, as mono s16le."""
    return bytes(np.clip(alaw(np.round(samples)), -32768, 32767).astype("<i2").tobytes())


def line_noise(count: int, seed: int) -> Samples:
    """`count` samples of what an open line sounds like when nobody speaks."""
    return np.asarray(np.random.default_rng(seed).normal(0, _power(LEAST_NOISE_DBFS) ** 0.5, count))


def syllables(text: str) -> list[float]:
    """How many syllables each character of `text` is said in; together they give Latin words theirs."""
    counts = [1.0 if _SPOKEN.match(character) else 0.0 for character in text]
    for word in _LATIN.finditer(text):
        spelt = word[0].isupper() and len(word[0]) <= 4
        spoken = len(word[0]) if spelt else max(1, len(_VOWELS.findall(word[0])))
        counts[word.start() : word.end()] = [spoken / len(word[0])] * len(word[0])
    return counts


def word_ends(text: str) -> list[int]:
    """After how many characters of `text` a speaker may pause: at a word's end, or after digits of a number.

    Not at the ends of the text.
    """
    ends = set(itertools.accumulate(len(word) for word in jieba.cut(text)))
    for number in _NUMBER.finditer(text):
        ends -= set(range(number.start() + 1, number.end()))
        ends |= set(range(number.start() + _LEAST_DIGITS, number.end() - _LEAST_DIGITS + 1))
    spoken = [index for index, count in enumerate(syllables(text)) if count]
    return sorted(end for end in ends if spoken and spoken[0] < end <= spoken[-1])


def _pause_place(clip: LabelledClip) -> tuple[int, int] | None:
    """The sample, and the number of characters before it, of the deepest dip at a word's end."""
    levels = levels_dbfs(np.frombuffer(clip.pcm, "<i2").astype(np.float64))
    spoken = syllables(clip.text)
    speech = levels[round(clip.first_s / HOP_S) : round(clip.last_s / HOP_S)]
    loud = float(np.median(speech)) if speech.size else 0.0
    found: list[tuple[float, int, int]] = []
    for end in word_ends(clip.text):
        sides = (spoken[:end], spoken[end:])
        if min(sum(count > 0 for count in side) for side in sides) < _LEAST_SIDE_CHARACTERS:
            continue
        near = round(clip.said_s[end - 1] / HOP_S)
        lowest = max(near - _NEAR_HOPS, round((clip.first_s + _LEAST_SIDE_S) / HOP_S))
        highest = min(near + _NEAR_HOPS, round((clip.last_s - _LEAST_SIDE_S) / HOP_S))
        if lowest >= highest:
            continue
        hop = lowest + int(np.argmin(levels[lowest:highest]))
        found.append((float(levels[hop]), hop, end))
    if not found or min(found)[0] > loud - _DIP_DB:
        return None
    _, hop, end = min(found)
    return hop * _HOP + _HOP // 2, end


def _paused(clip: LabelledClip, samples: Samples, at_s: float, pause_s: float, characters: int) -> PausedClip:
    times = [min(time_s, at_s) for time_s in clip.said_s[:characters]]
    times += [max(time_s, at_s) + pause_s for time_s in clip.said_s[characters:]]
    last_s = round(clip.last_s + pause_s, 3)
    longer = replace(clip, pcm=coded(samples), last_s=last_s, said_s=tuple(times))
    return PausedClip(longer, round(at_s, 3), round(at_s + pause_s, 3), clip.text[:characters])


def _said_hops(samples: Samples, sounding: Mask, text: str) -> list[int]:
    """For each character the hop at whose begin it has been said: evenly, but drawn to dips in the level."""
    voiced = np.flatnonzero(sounding)
    counts = syllables(text)
    spoken = [count for count in counts if count]
    if not spoken:
        return [int(voiced[-1]) + 1] * len(text)
    ends = _even_ends(_dips(levels_dbfs(samples), voiced), spoken)
    hops: list[int] = []
    done = 0
    for count in counts:
        done += 1 if count else 0
        hops.append(int(voiced[ends[done - 1] - 1]) + 1 if done else int(voiced[0]))
    return hops


def _dips(levels: Samples, voiced: Sequence[int] | np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Samples:
    """How unlike a syllable's end each voiced hop's begin is, 0..1; a gap before it is surely one."""
    own = levels[np.asarray(voiced)]
    low, high = np.percentile(own, [5, 75])
    cost = np.clip((own - low) / max(3.0, high - low), 0, 1)
    gaps = np.flatnonzero(np.diff(np.asarray(voiced)) > 1) + 1
    cost[gaps] = -2.0
    return np.asarray(np.append(cost, 0.0))


def _even_ends(dips: Samples, syllable_counts: Sequence[float]) -> list[int]:
    """Where each character ends, of len(dips) - 1 hops: the cheapest way to part them in order."""
    hops, characters = len(dips) - 1, len(syllable_counts)
    if hops < characters:
        return [max(1, round((index + 1) * hops / characters)) for index in range(characters)]
    unit = hops / sum(syllable_counts)
    costs = np.full(hops + 1, np.inf)
    costs[0] = 0.0
    came_from: list[np.ndarray[tuple[int, ...], np.dtype[np.intp]]] = []
    lengths = np.arange(hops + 1)
    for count in syllable_counts:
        stretch = 2 * (lengths / (unit * count) - 1) ** 2
        stretch[0] = np.inf
        table = np.full((hops + 1, hops + 1), np.inf)  # [end, length]
        for length in range(1, hops + 1):
            table[length:, length] = costs[: hops + 1 - length] + stretch[length]
        best = np.argmin(table, axis=1)
        costs = table[lengths, best] + dips
        came_from.append(best)
    ends = [hops]
    for best in reversed(came_from[1:]):
        ends.append(ends[-1] - int(best[ends[-1]]))
    return ends[::-1]


def _noise_like(samples: Samples, sounding: Mask, count: int, chance: np.random.Generator) -> Samples:
    """`count` samples of noise with the level and the spectrum of what is no speech in `samples`."""
    white = chance.normal(0, 1, count)
    quiet = np.repeat(~sounding, _HOP)[: len(samples)]
    heard = [samples[b:e] for b, e in _runs(quiet) if e - b >= 2 * _HOP]
    pieces = [
        piece[at : at + 2 * _HOP] for piece in heard for at in range(0, len(piece) - 2 * _HOP + 1, _HOP)
    ]
    if not pieces or not count:
        return np.asarray(white * _power(LEAST_NOISE_DBFS) ** 0.5)
    powers = np.mean(np.stack(pieces) ** 2, axis=1)
    steady = np.stack(pieces)[powers <= np.median(powers)]  # breaths and clicks are not the line's noise
    level = max(float(np.mean(steady**2)), 1.0)
    shape = np.sqrt(np.mean(np.abs(np.fft.rfft(steady * np.hanning(2 * _HOP))) ** 2, axis=0))
    spectrum = np.fft.rfft(white)
    wanted = np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(shape)), shape)
    noise = np.fft.irfft(spectrum * wanted, count)
    power = float(np.mean(noise**2))
    return np.asarray(noise * (level / power) ** 0.5 if power else white)


def _telephone_band(samples: Samples) -> Samples:
    """What a telephone carries of it: nothing of a room's rumble."""
    if not samples.size:
        return samples
    spectrum = np.fft.rfft(samples)
    hertz = np.maximum(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), 1.0)
    return np.asarray(np.fft.irfft(spectrum / np.sqrt(1 + (_BAND_FROM_HZ / hertz) ** 8), len(samples)))


def _crossfaded(stretch: Samples, noise: Samples, at: int) -> Samples:
    """`stretch` with its sound from `at` on fading in out of `noise`."""
    fade = min(round(_FADE_S * SAMPLE_RATE), len(stretch) - at)
    rising = np.linspace(0, 1, fade)
    faded = stretch.copy()
    faded[at : at + fade] = stretch[at : at + fade] * rising + noise[at : at + fade] * (1 - rising)
    return np.asarray(faded)


@functools.cache
def _power(level_dbfs: float) -> float:
    return float(32768.0**2 * 10 ** (level_dbfs / 10))


def _closed(mask: Mask, gap: int) -> Mask:
    """`mask` with its inner gaps of up to `gap` closed."""
    closed: Mask = mask.copy()
    for begin, end in _runs(~mask):
        if end - begin <= gap and begin > 0 and end < len(mask):
            closed[begin:end] = True
    return np.asarray(closed)


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """Begin and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(edges[at]), int(edges[at + 1])) for at in range(0, len(edges), 2)]
