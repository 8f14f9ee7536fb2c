"""Draws what waiting costs and saves: callers cut off in pauses against response gap, as patience moves.

`python -m bench.turn_tradeoff [--data DATA] [--pipecat FILE] [--out FILE.svg]`. For comparison with ears that
wait a fixed time, whatever is said, and with pipecat's defaults as `bench.against_pipecat --json` found them.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from hotline.console import err, out
from hotline.evaluation_charts import COLOURS
from hotline.evaluation_page import element
from hotline.evaluation_turns import listening_of, load_material
from hotline.settings import load_settings
from hotline.turn_evaluation import Endings, Evaluation, Material
from voice.endpointing import Endpointer, EndpointSettings
from voice.listener import Listener
from voice.turns import TurnSettings

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
PATIENCES = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0)
WAITS_S = (0.3, 0.5, 0.7, 0.9, 1.1, 1.3)
_WIDTH, _HEIGHT, _LEFT, _TOP, _SIDE = 900, 420, 60, 40, 340
_INK, _MUTED, _GRID = "#1d2733", "#66758a", "#e3e8ef"


@dataclass(frozen=True, slots=True)
class Point:
    """One setting; the gaps are seconds, `cut_off` a share of the pauses."""

    name: str
    p50_s: float
    p95_s: float
    cut_off: float


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together, joined where there are several; `own` is the one with the defaults."""

    name: str
    colour: str
    points: Sequence[Point]
    own: int | None = None


class FixedWait(Endpointer):
    """Waits as long whatever is said."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(EndpointSettings())
        self._wait_s = wait_s

    def patience_s(self, partial: str, **_known: object) -> float:
        """Seconds of silence after which the turn is over."""
        return self._wait_s


def point(name: str, endings: Endings) -> Point | None:
    """Where a row lies in the picture; None when nothing in it was answered or no pause inserted."""
    gap, cut = endings.gap_ms, endings.cut_off_anywhere
    return Point(name, gap.p50 / 1000, gap.p95 / 1000, cut.count / cut.of) if gap and cut.of else None


def series(material: Material) -> list[Series]:
    """This agent's on people and on synthetic callers, and fixed waits on people."""
    ours = Evaluation(listening_of(load_settings(None)), material)
    fixed = Evaluation(lambda wait_s, caller: Listener(TurnSettings(), FixedWait(wait_s), caller), material)
    at = PATIENCES.index(1.0)
    rows = [ours.endings("human", patience) for patience in PATIENCES]
    others = [ours.endings("synthetic", patience) for patience in PATIENCES]
    waits = [fixed.endings("human", wait_s) for wait_s in WAITS_S]
    return [
        Series("this agent, people", COLOURS[0], _points(rows, "×{:g}"), at),
        Series("this agent, synthetic callers", COLOURS[2], _points(others, "×{:g}"), at),
        Series("a fixed wait, people", COLOURS[5], _points(waits, "{:g} s")),
    ]


def of_pipecat(document: dict[str, Any]) -> list[Series]:
    """What `bench.against_pipecat --json` found."""
    found = []
    for row, colour in zip(document["pipecat"]["endings"], (COLOURS[1], COLOURS[4]), strict=False):
        gaps = sorted(clip["gap_s"] for clip in row["clips"] if clip["gap_s"] is not None)
        cut = [cut for clip in row["clips"] for cut in clip["cut_off"].values()]
        if gaps and cut:
            p50, p95 = (gaps[min(len(gaps) - 1, int(share * len(gaps)))] for share in (0.5, 0.95))
            who = "people" if row["kind"] == "human" else "synthetic callers"
            name = f"pipecat {document['version']}, {who}"
            found.append(Series(name, colour, [Point("", p50, p95, sum(cut) / len(cut))]))
    return found


def draw(all_series: Sequence[Series]) -> Element:
    """Two charts beside each other: against the median gap and against the 95th percentile."""
    size = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT + 24 * len(all_series)}", "width": f"{_WIDTH}"}
    picture = element("svg", xmlns="http://www.w3.org/2000/svg", font_family="sans-serif", **size)
    picture.append(element("rect", width="100%", height="100%", fill="#fff"))
    for panel, name in enumerate(("median", "95th percentile")):
        _panel(picture, all_series, panel, f"response gap, {name}, seconds")
    for number, one in enumerate(all_series):
        y = _HEIGHT + 24 * number
        picture.append(element("circle", cx=_LEFT + 6, cy=y, r=5, fill=one.colour))
        picture.append(_text(one.name, _LEFT + 20, y, fill=_INK))
    return picture


def _points(rows: Sequence[Endings], name: str) -> list[Point]:
    found = [point(name.format(row.patience), row) for row in rows]
    return [one for one in found if one is not None]


def _panel(picture: Element, all_series: Sequence[Series], panel: int, title: str) -> None:
    left = _LEFT + panel * (_SIDE + 90)
    gaps = [point.p95_s if panel else point.p50_s for one in all_series for point in one.points]
    step_s = 0.25 if max(gaps, default=0.0) <= 1.5 else 0.5
    top_s = step_s * math.ceil(max([1.0, *gaps]) / step_s)

    def x(gap_s: float) -> float:
        return left + gap_s / top_s * _SIDE

    def y(share: float) -> float:
        return _TOP + (1 - share) * (_SIDE - 40)

    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        picture.append(element("line", x1=left, x2=left + _SIDE, y1=y(share), y2=y(share), stroke=_GRID))
        picture.append(_text(f"{share:.0%}", left - 8, y(share), text_anchor="end"))
    for tick in range(round(top_s / step_s) + 1):
        at = x(tick * step_s)
        picture.append(element("line", x1=at, x2=at, y1=y(0), y2=y(1), stroke=_GRID))
        picture.append(_text(f"{tick * step_s:g}", at, y(0) + 16, text_anchor="middle"))
    picture.append(_text("cut off in a pause of 0.6 to 1.2 s", left, _TOP - 20, fill=_INK))
    picture.append(_text(title, left + _SIDE / 2, y(0) + 38, text_anchor="middle", fill=_INK))
    for one in all_series:
        places = [(x(p.p95_s if panel else p.p50_s), y(p.cut_off)) for p in one.points]
        joined = " ".join(f"{at:.1f},{height:.1f}" for at, height in places)
        picture.append(element("polyline", points=joined, fill="none", stroke=one.colour, stroke_width=2))
        for number, (where, shown) in enumerate(zip(places, one.points, strict=True)):
            radius = 6 if number == one.own or len(places) == 1 else 3
            picture.append(element("circle", cx=where[0], cy=where[1], r=radius, fill=one.colour))
            picture.append(_text(shown.name, where[0] + 6, where[1] - 9, font_size=9, fill=one.colour))


def _text(text: str, x: float, y: float, **attributes: object) -> Element:
    look = {"fill": _MUTED, "font_size": 12, "dominant_baseline": "central", **attributes}
    return element("text", text, x=round(x, 1), y=round(y, 1), **look)


def main() -> int:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=DATA, help="recordings, as `hotline eval turns` takes them"
    )
    parser.add_argument("--pipecat", type=Path, help="what `bench.against_pipecat --json` printed")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "turn-tradeoff.svg")
    given = parser.parse_args()
    material, left_out = load_material(given.data)
    for line in left_out:
        err.print(f"left out: {line}")
    drawn = series(material)
    if given.pipecat:
        drawn += of_pipecat(json.loads(given.pipecat.read_text(encoding="utf-8")))
    for one in drawn:
        for shown in one.points:
            cut = f"{shown.cut_off:.1%} cut off"
            out.print(f"{one.name} {shown.name}: {shown.p50_s:.2f} / {shown.p95_s:.2f} s, {cut}")
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(ElementTree.tostring(draw(drawn), encoding="unicode") + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
