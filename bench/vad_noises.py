"""Made noises, tones and music, another every time, for bench.vad_training: all at level 1, 8 kHz."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.vad_sounds import Samples

RATE = 8000
_SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)  # semitones
_CADENCES_S = ((1, 4), (0.35, 0.35), (0.7, 0.7), (0.4, 0.2), (9, 1))
Chance = np.random.Generator


def noise(chance: Chance, count: int, voice: Callable[[], Samples]) -> Samples:
    """One of the kinds of lasting noise; `voice` gives single utterances for a crowd."""
    kind = chance.random()
    if kind < 0.13:
        return _levelled(_crowd(chance, count, voice))
    if kind < 0.25:
        return _levelled(_bursts(chance, count))
    white = chance.normal(0, 1, count)
    kind = chance.random()
    if kind < 0.12:
        sound = white
    elif kind < 0.45:
        sound = band(_coloured(white, chance.uniform(0.5, 0.98)), chance.uniform(60, 400), 3600)
    elif kind < 0.64:
        sound = _engine(chance, count)
    elif kind < 0.8:
        sound = _coloured(white, chance.uniform(0.3, 0.97)) * _swell(
            chance, count, RATE * chance.uniform(0.05, 1), -12, 6
        )
    else:
        sound = _two_bands(chance, count)
    if chance.random() < 0.3:
        sound = sound * _swell(chance, count, chance.uniform(400, 6000), -8, 4)
    return _levelled(sound)


def moved_things(chance: Chance, count: int) -> Samples:
    """A room in which things are put down, pushed and opened: thuds that ring, scrapes, squeaks."""
    sound, first, rate = np.zeros(count), 0, chance.uniform(0.5, 5)
    while first < count:
        kind = chance.random()
        one = _thud(chance) if kind < 0.45 else _scrape(chance) if kind < 0.8 else _squeak(chance)
        sound[first : first + len(one)] += (_levelled(one) * 10 ** (chance.uniform(-14, 0) / 20))[
            : count - first
        ]
        first += int(chance.exponential(RATE / rate)) + 200
    rest = _levelled(_coloured(chance.normal(0, 1, count), chance.uniform(0.3, 0.97)))
    return _levelled(sound + rest * 10 ** (chance.uniform(-40, -14) / 20))


def in_a_room(chance: Chance, sound: Samples) -> Samples:
    """`sound` with a room's reverberation: noise that fades, a tenth to eight tenths of a second of it."""
    fading_s = chance.uniform(0.1, 0.8)
    tail = chance.normal(0, 1, int(fading_s * RATE)) * np.exp(
        -6.9 * np.arange(int(fading_s * RATE)) / (fading_s * RATE)
    )
    tail[: int(chance.uniform(0.001, 0.01) * RATE)] = 0
    tail *= 10 ** (chance.uniform(-18, 0) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    points = 1 << (len(sound) + len(tail)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, points) * np.fft.rfft(tail, points), points)
    return np.asarray(wet[: len(sound)])


def events(chance: Chance, count: int) -> Samples:
    """Clicks, bangs, breaths and clinks, up to ten."""
    sound = np.zeros(count)
    for _ in range(int(chance.integers(1, 10))):
        kind = chance.random()
        if kind < 0.35:
            one = _fading(chance, int(chance.integers(2, 200)), chance.uniform(3, 60))
        elif kind < 0.7:
            length = int(chance.uniform(0.05, 0.5) * RATE)
            one = _levelled(_coloured(chance.normal(0, 1, length), chance.uniform(0.3, 0.97)))
            one = one * np.exp(-np.arange(length) / (length * chance.uniform(0.1, 0.5)))
        elif kind < 0.85:
            length = int(chance.uniform(0.15, 0.7) * RATE)
            low, high = chance.uniform(200, 900), chance.uniform(1200, 3500)
            one = 0.3 * band(chance.normal(0, 1, length), low, high) * np.hanning(length)
        else:
            at = np.arange(int(chance.uniform(0.05, 0.3) * RATE))
            partials = (np.sin(2 * np.pi * hertz * at / RATE) for hertz in chance.uniform(300, 3000, 4))
            one = 0.5 * sum(partials) * np.exp(-at / (len(at) * chance.uniform(0.05, 0.4)))
        first = int(chance.integers(0, count - 1))
        sound[first : first + len(one)] += (one * 10 ** (chance.uniform(-20, 6) / 20))[: count - first]
    return sound


def music(chance: Chance, count: int) -> Samples:
    """Plucked or held chords of one key, with or without drums."""
    sound = np.zeros(count + 5 * RATE)
    beat = int(chance.uniform(0.15, 0.7) * RATE)
    root, kind, strings = chance.uniform(80, 260), chance.random(), chance.random() < 0.4
    for first in range(0, count, beat):
        for _ in range(int(chance.integers(1, 5)) if chance.random() < 0.85 else 0):
            hertz = (
                root * 2 ** (_SCALE[int(chance.integers(len(_SCALE)))] / 12) * chance.choice([0.5, 1, 1, 2])
            )
            length = min(int(beat * chance.uniform(0.9, 4)), 5 * RATE - 400)
            if strings:
                note = _string(chance, hertz, length)
            else:
                note = _note(chance, hertz, length, plucked=bool(kind < 0.6))
            at = first + int(chance.uniform(0, 0.03) * RATE)
            sound[at : at + len(note)] += note * chance.uniform(0.4, 1)
        if kind > 0.4 and chance.random() < 0.3:
            sound[first : first + 1200] += _fading(chance, 1200, chance.uniform(50, 400))
    return _levelled(sound[:count])


def tones(chance: Chance, count: int) -> Samples:
    """Call progress tones, ringing tones that warble, or beeps of any pitch."""
    seconds, kind = np.arange(count) / RATE, chance.random()
    if kind < 0.4:
        hertz = float(chance.choice([400, 425, 440, 450, 480, chance.uniform(300, 1000)]))
        sound = np.sin(2 * np.pi * hertz * seconds)
        if chance.random() < 0.3:
            sound = sound + np.sin(2 * np.pi * (hertz + chance.choice([40, 20, 25, 50])) * seconds)
        on, off = _CADENCES_S[int(chance.integers(len(_CADENCES_S)))]
        return _levelled(sound * ((seconds + chance.uniform(0, 5)) % (on + off) < on))
    if kind < 0.7:
        low, high = chance.uniform(300, 1800, 2)
        warble = np.sin(2 * np.pi * chance.uniform(8, 30) * seconds) > 0
        phase = 2 * np.pi * np.cumsum(np.where(warble, low, high)) / RATE
        sound = np.sin(phase) + chance.uniform(0, 0.5) * np.sin(3 * phase)
        return _levelled(sound * (seconds % chance.uniform(2, 5) < chance.uniform(1, 2)))
    sound, first = np.zeros(count), 0
    while first < count:
        length = int(chance.uniform(0.06, 0.4) * RATE)
        beep = np.sin(2 * np.pi * chance.uniform(400, 2200) * seconds[:length])
        sound[first : first + length] = beep[: count - first]
        first += int(length * chance.uniform(1, 1.5))
    return _levelled(sound)


def keys(chance: Chance, count: int) -> Samples:
    """DTMF (ITU-T Q.23)."""
    on, off = (int(chance.uniform(0.04, longest) * RATE) for longest in (0.4, 0.3))
    seconds, twist = np.arange(on) / RATE, 10 ** (chance.uniform(-4, 4) / 20)
    sound = np.zeros(count)
    for first in range(int(chance.uniform(0, 0.3) * RATE), count - on, on + off):
        low, high = chance.choice([697, 770, 852, 941]), chance.choice([1209, 1336, 1477, 1633])
        both = np.sin(2 * np.pi * low * seconds) + twist * np.sin(2 * np.pi * high * seconds)
        sound[first : first + on] = both
    return _levelled(sound)


def beginning_and_ending(chance: Chance, sound: Samples) -> Samples:
    """`sound`, sometimes much quieter until or from some moment on."""
    sound = sound.copy()
    if chance.random() < 0.4:
        sound[: int(chance.uniform(0, 0.6) * len(sound))] *= 10 ** (chance.uniform(-40, -10) / 20)
    if chance.random() < 0.15:
        sound[int(chance.uniform(0.4, 1) * len(sound)) :] *= 10 ** (chance.uniform(-40, -10) / 20)
    return sound


def band(sound: Samples, low_hz: float, high_hz: float) -> Samples:
    """`sound` within a band with soft edges."""
    points = -(-len(sound) // 4096) * 4096  # odd lengths are slow
    hertz = np.fft.rfftfreq(points, 1 / RATE)
    edges = np.sqrt((1 + (low_hz / np.maximum(hertz, 1)) ** 4) * (1 + (hertz / high_hz) ** 12))
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, points) / edges, points)[: len(sound)])


def _crowd(chance: Chance, count: int, voice: Callable[[], Samples]) -> Samples:
    """Many people at once: nobody who speaks to us."""
    sound = np.zeros(count)
    for _ in range(int(chance.integers(8, 20))):
        one = voice()[:: -1 if chance.random() < 0.5 else 1]
        sound += np.roll(np.resize(one, count), int(chance.integers(count))) * 10 ** (
            chance.uniform(-8, 0) / 20
        )
    return sound


def _bursts(chance: Chance, count: int) -> Samples:
    """Steps, keyboards, dishes, rustling."""
    sound, first, rate = np.zeros(count), 0, chance.uniform(1, 9)
    while first < count:
        length = int(chance.uniform(0.02, 0.35) * RATE)
        one = _levelled(_coloured(chance.normal(0, 1, length), chance.uniform(-0.3, 0.97)))
        one = one * np.exp(-np.arange(length) / (length * chance.uniform(0.1, 0.6)))
        if chance.random() < 0.4:
            one = band(one, chance.uniform(200, 1500), chance.uniform(1600, 3600))
        sound[first : first + length] += (one * 10 ** (chance.uniform(-12, 0) / 20))[: count - first]
        first += int(chance.exponential(RATE / rate)) + 80
    rest = _levelled(_coloured(chance.normal(0, 1, count), chance.uniform(0, 0.97)))
    return sound + rest * 10 ** (chance.uniform(-40, -12) / 20)


def _thud(chance: Chance) -> Samples:
    """A blow, and what rings after it."""
    length = int(chance.uniform(0.05, 0.5) * RATE)
    at = np.arange(length)
    sound = chance.normal(0, 1, length) * np.exp(-at / (RATE * chance.uniform(0.002, 0.05)))
    sound = _coloured(sound, chance.uniform(-0.2, 0.95))
    for hertz in chance.uniform(80, 2500, int(chance.integers(1, 6))):
        fading = np.exp(-at / (RATE * chance.uniform(0.01, 0.15)))
        sound += (
            chance.uniform(0.05, 0.8) * np.sin(2 * np.pi * hertz * at / RATE + chance.uniform(0, 6)) * fading
        )
    return sound


def _scrape(chance: Chance) -> Samples:
    """Something rough over something hollow: noise in a band that wanders in level."""
    length = int(chance.uniform(0.08, 1.2) * RATE)
    low = chance.uniform(150, 1500)
    sound = band(chance.normal(0, 1, length), low, low * chance.uniform(1.5, 6))
    if chance.random() < 0.4:  # by fits and starts
        gaps = np.sin(2 * np.pi * chance.uniform(8, 60) * np.arange(length) / RATE + chance.uniform(0, 6))
        sound = sound * np.maximum(0.1, gaps)
    return sound * _swell(chance, length, chance.uniform(200, 2000), -15, 0) * np.hanning(length) ** 0.5


def _squeak(chance: Chance) -> Samples:
    """A hinge, a chair: a harmonic tone that slides, higher than voices or rough."""
    length = int(chance.uniform(0.06, 0.7) * RATE)
    ends = chance.uniform(350, 1600) * 2 ** chance.uniform(-0.6, 0.6, 3)
    pitch = np.interp(np.linspace(0, 2, length), np.arange(3), ends)
    pitch = pitch * (
        1 + chance.uniform(0, 0.05) * np.repeat(chance.normal(0, 1, length // 40 + 1), 40)[:length]
    )
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = (
        np.sin(phase)
        + chance.uniform(0, 0.7) * np.sin(2 * phase)
        + chance.uniform(0, 0.4) * np.sin(3 * phase)
    )
    hiss = chance.uniform(0.02, 0.6) * chance.normal(0, 1, length)
    return np.asarray((sound + hiss) * np.hanning(length) ** 0.5)


def _string(chance: Chance, hertz: float, length: int) -> Samples:
    """A plucked string (Karplus and Strong 1983)."""
    period = max(2, round(RATE / hertz))
    ring = _coloured(chance.normal(0, 1, period), chance.uniform(0, 0.9))
    ring -= ring.mean()
    kept, rounds = 0.5 ** (1 / (hertz * chance.uniform(0.15, 1.2))), -(-length // period)
    damped = chance.uniform(0.5, 1)
    sound = np.empty((rounds, period))
    for number in range(rounds):
        sound[number] = ring
        ring = kept * (damped * ring + (1 - damped) * np.roll(ring, 1))
    return np.asarray(sound.reshape(-1)[:length] * np.minimum(1, np.arange(length, 0, -1) / 100))


def _engine(chance: Chance, count: int) -> Samples:
    """Harmonics of a slowly wandering rumble, in noise."""
    wander = np.cumsum(chance.normal(0, 1, count)) / np.sqrt(count)
    phase = 2 * np.pi * np.cumsum(chance.uniform(18, 200) * (1 + 0.05 * wander)) / RATE
    slope = chance.uniform(0.3, 1.2)
    hum = np.zeros(count)
    for harmonic in range(1, int(chance.integers(3, 14))):
        hum += np.sin(harmonic * phase + chance.uniform(0, 6)) * harmonic**-slope
    hiss = _levelled(_coloured(chance.normal(0, 1, count), chance.uniform(0.8, 0.97)))
    return _levelled(hum) * chance.uniform(0.2, 1.2) + hiss


def _two_bands(chance: Chance, count: int) -> Samples:
    low = _coloured(chance.normal(0, 1, count), 0.7) * _swell(chance, count, 4000, -9, 3)
    carrier = np.cos(2 * np.pi * chance.uniform(200, 2500) * np.arange(count) / RATE)
    narrow = band(chance.normal(0, 1, count), 30, chance.uniform(100, 400)) * carrier
    narrow = _levelled(narrow * _swell(chance, count, 4000, -20, 0))
    return _levelled(low) + narrow * chance.uniform(0, 1)


def _note(chance: Chance, hertz: float, length: int, *, plucked: bool) -> Samples:
    length = min(length, 5 * RATE - 400)
    seconds, slope, lasting = np.arange(length) / RATE, chance.uniform(0.5, 2), chance.uniform(0.3, 2.5)
    sound = np.zeros(length)
    for harmonic in range(1, int(3600 / hertz) + 1):
        partial = np.sin(2 * np.pi * hertz * harmonic * seconds + chance.uniform(0, 2 * np.pi))
        if plucked:
            partial *= np.exp(-seconds * (0.7 + 0.25 * harmonic) / lasting)
        sound += partial * harmonic**-slope * chance.uniform(0.2, 1)
    return sound if plucked else sound * np.minimum(1, np.minimum(seconds / 0.02, seconds[::-1] / 0.05))


def _fading(chance: Chance, length: int, fading: float) -> Samples:
    return chance.normal(0, 1, length) * np.exp(-np.arange(length) / fading)


def _swell(chance: Chance, count: int, step: float, low_db: float, high_db: float) -> Samples:
    corners = max(3, int(count / step) + 2)
    levels = np.interp(
        np.linspace(0, corners - 1, count), np.arange(corners), chance.uniform(low_db, high_db, corners)
    )
    return np.asarray(10 ** (levels / 20))


def _coloured(white: Samples, pole: float) -> Samples:
    """White noise after 1 / (1 - pole z⁻¹), by its impulse response: 1e-3 of it is left out."""
    count = int(np.ceil(-6.9 / np.log(max(abs(pole), 0.01))))
    return np.asarray(np.convolve(white, pole ** np.arange(count))[: len(white)])


def _levelled(sound: Samples) -> Samples:
    return np.asarray(sound / (np.sqrt(np.mean(np.square(sound))) + 1e-9))
