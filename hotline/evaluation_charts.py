"""Charts as small SVG pictures that stand in a page: horizontal bars, shares, ranges, histograms, curves."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from hotline.evaluation_figures import Spread
from hotline.evaluation_page import element

COLOURS = ("#1b5fa8", "#d97a1f", "#2a9268", "#7a4fb5", "#b3261e", "#5b6b7d", "#0f8b8d", "#a0527a")
RIGHT, WRONG = "#2a9268", "#c8453b"
# From all right to mostly wrong.
GRADES = ("#2a9268", "#a3cf8b", "#f0cf65", "#e89a4b", "#c8453b")

_WIDTH = 900
_LABELS = 230  # the part for labels at the left
_VALUES = 90  # the part for values at the right
_ROW = 30
_AXIS = 30
_INK, _MUTED, _GRID = "#1d2733", "#66758a", "#e3e8ef"
_MAX_LABEL = 34  # half-width characters


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its interval."""

    label: str
    value: float
    low: float
    high: float
    colour: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Points from left to right, in 0..1."""

    points: Sequence[tuple[float, float]]
    colour: str


def bars(rows: Sequence[Bar], title: str) -> Element:
    """One bar a row, as a percentage, with whiskers for its interval."""
    top = max(max(row.high for row in rows), 0.01)
    frame = _Rows([row.label for row in rows], top, lambda value: f"{value:.0%}", title)
    for number, row in enumerate(rows):
        y, x = frame.middle(number), frame.x
        frame.add("rect", x=x(0), y=y - 8, width=x(row.value) - x(0), height=16, rx=3, fill=row.colour)
        frame.add("line", x1=x(row.low), x2=x(row.high), y1=y, y2=y, stroke=_INK, stroke_width=1.5)
        for end in (row.low, row.high):
            frame.add("line", x1=x(end), x2=x(end), y1=y - 5, y2=y + 5, stroke=_INK, stroke_width=1.5)
        frame.value(number, f"{row.value:.1%}")
    return frame.picture


def shares(rows: Sequence[tuple[str, str, Sequence[float]]], title: str) -> Element:
    """One whole a row, parted in the shares of GRADES; the row's own colour is before it."""
    frame = _Rows([label for label, _, _ in rows], 1.0, lambda value: f"{value:.0%}", title)
    for number, (_, own, parts) in enumerate(rows):
        at, y = 0.0, frame.middle(number)
        frame.add("rect", x=frame.x(0) - 7, y=y - 9, width=4, height=18, rx=2, fill=own)
        for part, colour in zip(parts, GRADES, strict=True):
            left, right = frame.x(at), frame.x(at + part)
            frame.add("rect", x=left, y=y - 9, width=right - left, height=18, fill=colour)
            if part >= 0.06:
                middle = (left + right) / 2
                frame.text(f"{part:.0%}", middle, y, text_anchor="middle", fill=_INK, font_size=11)
            at += part
    return frame.picture


def ranges(rows: Sequence[tuple[str, Spread, str]], title: str) -> Element:
    """One delay in ms a row: a line from p5 to p95, a box over the middle half, a mark at the median."""
    low = min(0.0, *(spread.p5 for _, spread, _ in rows))
    top = max(max(spread.p95 for _, spread, _ in rows), 1.0)
    frame = _Rows([label for label, _, _ in rows], top, lambda value: f"{value:.0f} ms", title, low)
    for number, (_, spread, colour) in enumerate(rows):
        y, x = frame.middle(number), frame.x
        frame.add("line", x1=x(spread.p5), x2=x(spread.p95), y1=y, y2=y, stroke=colour, stroke_width=2)
        width = max(2.0, x(spread.p75) - x(spread.p25))
        frame.add("rect", x=x(spread.p25), y=y - 8, width=width, height=16, rx=3, fill=colour, opacity=0.45)
        frame.add("line", x1=x(spread.p50), x2=x(spread.p50), y1=y - 9, y2=y + 9, stroke=_INK, stroke_width=2)
        frame.value(number, f"{spread.p50:.0f} / {spread.p95:.0f}")
    return frame.picture


def two_histograms(right: Sequence[float], wrong: Sequence[float], title: str) -> Element:
    """Confidences of right words upwards and of wrong words downwards, each kind on a scale of its own."""
    width, height, left, half = 420, 260, 46, 100
    picture = _picture(width, height, title)
    middle = 14 + half
    for values, colour, up in ((_binned(right), RIGHT, True), (_binned(wrong), WRONG, False)):
        most, step = max(values) or 1.0, (width - left - 14) / len(values)
        picture.append(
            _text(f"{most:.0%}", left - 6, middle - half if up else middle + half, text_anchor="end")
        )
        for number, value in enumerate(values):
            size = value / most * half
            picture.append(
                element(
                    "rect", x=left + number * step + 1, y=middle - size if up else middle,
                    width=step - 2, height=size, fill=colour,
                )
            )  # fmt: skip
    picture.append(element("line", x1=left, x2=width - 14, y1=middle, y2=middle, stroke=_INK))
    for tick in range(6):
        x = left + tick / 5 * (width - left - 14)
        picture.append(_text(f"{tick / 5:.1f}", x, middle + half + 16, text_anchor="middle"))
    picture.append(_text("置信度", (width + left) / 2, height - 8, text_anchor="middle"))
    return picture


def curves(rows: Sequence[Curve], title: str, x_name: str, y_name: str) -> Element:
    """Curves in a square from 0 to 1, with the diagonal that chance would give."""
    side, left, top = 300, 60, 12
    width, height = left + side + 20, top + side + 50
    picture = _picture(width, height, title)
    for tick in range(6):
        at, name = tick / 5 * side, f"{tick / 5:.0%}"
        for line in (
            {"x1": left, "x2": left + side, "y1": top + at, "y2": top + at},
            {"x1": left + at, "x2": left + at, "y1": top, "y2": top + side},
        ):
            picture.append(element("line", stroke=_GRID, **line))
        picture.append(_text(name, left - 6, top + side - at, text_anchor="end"))
        picture.append(_text(name, left + at, top + side + 15, text_anchor="middle"))
    points = f"{left},{top + side} {left + side},{top}"
    picture.append(element("polyline", points=points, stroke=_MUTED, stroke_dasharray="4 4", fill="none"))
    for row in rows:
        points = " ".join(f"{left + x * side:.1f},{top + (1 - y) * side:.1f}" for x, y in row.points)
        picture.append(element("polyline", points=points, stroke=row.colour, stroke_width=2.2, fill="none"))
    picture.append(_text(x_name, left + side / 2, top + side + 36, text_anchor="middle"))
    turned = _text(y_name, 0, 0, text_anchor="middle")
    turned.set("transform", f"translate(13 {top + side / 2:.0f}) rotate(-90)")
    picture.append(turned)
    return picture


def legend(items: Sequence[tuple[str, str]]) -> Element:
    """Names with the colours they have in a chart."""
    spans = [
        element("span", element("i", style=f"background:{colour}"), name, class_="key")
        for name, colour in items
    ]
    return element("div", *spans, class_="legend")


class _Rows:
    """The frame of a chart with a row for each label and a scale from `low` to `top` beneath them."""

    def __init__(
        self, labels: Sequence[str], top: float, name: Callable[[float], str], title: str, low: float = 0.0
    ) -> None:
        ticks = _ticks(low, top)
        self._low, self._top = min(low, ticks[0]), max(top, ticks[-1])
        bottom = 8 + _ROW * len(labels)
        self.picture = _picture(_WIDTH, bottom + _AXIS, title)
        for tick in ticks:
            self.add("line", x1=self.x(tick), x2=self.x(tick), y1=6, y2=bottom, stroke=_GRID)
            self.text(name(tick), self.x(tick), bottom + 14, text_anchor="middle")
        for number, label in enumerate(labels):
            shown = self.text(
                _shortened(label), _LABELS - 12, self.middle(number), text_anchor="end", fill=_INK
            )
            shown.append(element("title", label))

    def x(self, value: float) -> float:
        """Where `value` is, in the picture."""
        room = _WIDTH - _LABELS - _VALUES
        return _LABELS + (value - self._low) / (self._top - self._low) * room

    def middle(self, number: int) -> float:
        """The middle line of a row."""
        return 8 + _ROW * number + _ROW / 2

    def add(self, tag: str, **attributes: object) -> None:
        """Draw something."""
        self.picture.append(element(tag, **attributes))

    def text(self, text: str, x: float, y: float, **attributes: object) -> Element:
        """Write something."""
        written = _text(text, x, y, **attributes)
        self.picture.append(written)
        return written

    def value(self, number: int, text: str) -> None:
        """Write a row's value at its right end."""
        self.text(text, _WIDTH - 4, self.middle(number), text_anchor="end", fill=_INK, font_weight=600)


def _picture(width: float, height: float, title: str) -> Element:
    size = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "style": f"max-width:{width:.0f}px"}
    return element("svg", element("title", title), role="img", **size)


def _text(text: str, x: float, y: float, **attributes: object) -> Element:
    look = {"fill": _MUTED, "font_size": 12, "dominant_baseline": "central", **attributes}
    return element("text", text, x=x, y=y, **look)


def _ticks(low: float, top: float) -> list[float]:
    """Four to eight round numbers from `low` or below it to `top` or above it."""
    rough = (top - low) / 5
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [number * step for number in range(math.floor(low / step), math.ceil(top / step - 1e-9) + 1)]


def _shortened(label: str) -> str:
    """The end of a label that is too long: of a path, that is the part that tells."""
    room, kept = _MAX_LABEL, ""
    for character in reversed(label):
        room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if room < 0:
            return f"…{kept}"
        kept = character + kept
    return label


def _binned(values: Sequence[float], bins: int = 20) -> list[float]:
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, int(value * bins)))] += 1
    return [count / max(1, len(values)) for count in counts]
