"""An evaluation's figures, and the page made of them."""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest

from hotline import labelled_speech
from hotline.evaluation_figures import (
    ClipResult,
    EngineResult,
    RowResult,
    all_confusions,
    all_words,
    as_json,
    bootstrap,
    figures,
    separation,
    spread,
    worst_first,
)
from hotline.evaluation_report import About, render
from hotline.labelled_speech import Skipped
from hotline.line_conditions import Condition

pytestmark = [pytest.mark.unit]

EVIL = "<script>alert('错')</script>&\"'"


def clip(
    name: str, errors: int, characters: int = 10, *, heard: str = "听到", ms: float | None = None
) -> ClipResult:
    return ClipResult(
        name, f"原文{name}", heard, characters, errors, 0, 0, 2.0, 0.1, ms and ms / 1000, ms, ms
    )


def row(condition: Condition, *clips: ClipResult) -> RowResult:
    words = ((0.9, True), (0.8, True), (0.4, False), (0.85, False))
    return RowResult(condition, clips, words, Counter({("医", "亿"): 2, ("院", "元"): 1}), cpu_s=0.5)


def engine(name: str = "vosk:builtin") -> EngineResult:
    rows = (
        row(Condition(), clip("a.wav", 0, ms=100.0), clip("b.wav", 5, 5, heard=EVIL, ms=300.0)),
        row(Condition("alaw", 15.0, 3.0), clip("a.wav", 2, ms=120.0), clip("b.wav", 8, 5)),
    )
    return EngineResult(name, rows, 0.5, 20_000_000, 60_000_000)


def about(**changes: object) -> About:
    values = {"data": "set", "clips": 2, "audio_s": 4.0, "skipped": (), "jobs": 2, "paced": True}
    made_at = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
    return About(**{**values, "made_at": made_at, **changes})  # type: ignore[arg-type]


def test_the_figures_of_a_row() -> None:
    found = figures(engine().rows[0], paced=True)
    assert (found.clips, found.failed, found.characters, found.substitutions) == (2, 0, 15, 5)
    assert found.cer == pytest.approx(5 / 15)
    assert found.cer_low <= found.cer <= found.cer_high
    assert found.sentence_error_rate == 0.5
    assert found.real_time_factor_cpu == pytest.approx(0.5 / 4)
    assert found.real_time_factor_wall is None
    assert figures(engine().rows[0], paced=False).real_time_factor_wall == pytest.approx(0.2 / 4)
    assert found.finalisation_ms is not None
    assert [found.finalisation_ms.p50, found.finalisation_ms.p95] == pytest.approx([200, 290])
    assert found.auc == 0.75


def test_the_interval_is_as_wide_as_theory_has_it() -> None:
    chance = random.Random(1)
    errors = [sum(chance.random() < 0.2 for _ in range(10)) for _ in range(400)]
    low, high = bootstrap(errors, [10] * 400)
    assert low < sum(errors) / 4000 < high
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.2 * 0.8 / 4000), rel=0.15)
    assert bootstrap(errors, [10] * 400) == (low, high), "the same data give the same interval"
    assert bootstrap([3], [10]) == (0.3, 0.3)


def test_auc_is_the_share_of_pairs_in_order() -> None:
    chance = random.Random(2)
    words = [(round(chance.random(), 1), chance.random() < 0.6) for _ in range(200)]
    right = [confidence for confidence, is_right in words if is_right]
    wrong = [confidence for confidence, is_right in words if not is_right]
    pairs = sum((r > w) + (r == w) / 2 for r in right for w in wrong)
    found = separation(words)
    assert found.auc == pytest.approx(pairs / len(right) / len(wrong))
    for point in found.curve:
        assert point.right_kept == pytest.approx(sum(r >= point.confidence for r in right) / len(right))
        assert point.wrong_kept == pytest.approx(sum(w >= point.confidence for w in wrong) / len(wrong))
    assert [point.confidence for point in found.curve] == sorted(point.confidence for point in found.curve)


@pytest.mark.parametrize(
    "words", [[], [(0.5, True)], [(0.5, False)], [(0.75, True), (0.75, False)], [(0.0, True), (0.0, False)]]
)
def test_where_nothing_separates_there_is_no_auc(words: list[tuple[float, bool]]) -> None:
    assert separation(words).auc is None
    assert separation(words).curve == ()


def test_spread_leaves_out_what_was_not_measured() -> None:
    assert spread([None, None]) is None
    found = spread([None, 10.0, 20.0, 30.0])
    assert found is not None
    assert found.p50 == 20.0


def test_worst_first_and_the_longer_before() -> None:
    clips = [clip("a", 1), clip("b", 5, 5), clip("c", 0), clip("d", 10, 10)]
    assert [one.name for one in worst_first(clips)] == ["d", "b", "a", "c"]


def test_an_engine_is_taken_together_over_its_rows() -> None:
    assert all_confusions(engine())[("医", "亿")] == 4
    assert len(all_words(engine()).right) == 4


def test_the_json_holds_everything() -> None:
    found = json.loads(json.dumps(as_json(engine(), paced=True)))
    assert set(found) == {
        "engine", "error", "load_s", "memory_loaded_bytes", "memory_peak_bytes", "rows", "confidence",
    }  # fmt: skip
    second = found["rows"][1]
    assert second["condition"] == {
        "name": "A-law, noise 15 dB, loss 3 %",
        "through": "alaw",
        "noise_db": 15.0,
        "loss_percent": 3.0,
    }
    assert second["per_clip"][0]["cer"] == 1.6
    assert second["confusions"][0] == {"written": "医", "heard": "亿", "count": 2}
    assert second["finalisation_ms"]["p50"] == 120.0
    assert found["confidence"]["right_words"] == 4
    assert found["confidence"]["curve"][0] == {"confidence": 0.0, "right_kept": 1.0, "wrong_kept": 1.0}
    assert as_json(EngineResult("x", error="gone"), paced=False)["error"] == "gone"


class Page(HTMLParser):
    """The page's elements, what they name outside of it, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.outside: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.outside += [str(value) for name, value in attrs if name in ("src", "href", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_escapes_what_it_is_given() -> None:
    skipped = [Skipped(EVIL, EVIL)]
    html = render(about(data=EVIL, skipped=skipped), [engine(EVIL), EngineResult("other", error=EVIL)])
    page = Page(html)
    assert page.tags["script"] == 0
    assert "<script" not in html
    assert page.text.count(EVIL) >= 5


def test_the_page_needs_nothing_from_outside() -> None:
    html = render(about(), [engine(), engine("other")])
    page = Page(html)
    assert page.outside == []
    assert not re.search(r"url\(|@import|https?:", html)
    assert "default-src 'none'" in html
    assert page.tags["link"] == page.tags["img"] == page.tags["iframe"] == 0


def test_the_page_shows_every_part() -> None:
    skipped = [Skipped("c.wav", labelled_speech.NO_TEXT), Skipped("d.wav", "not a PCM WAV file")]
    page = Page(render(about(skipped=skipped), [engine(), engine("other")]))
    assert page.text.index("含来电人原话") < page.text.index("字错误率 =")
    for part in (
        "33.33%", "A 律，信噪比 15 dB，丢包 3%", "收尾延迟", "首字延迟", "60 MB", "AUC 0.750", "医 → 亿　4",
        "没有对应的原文", "读不了：not a PCM WAV file", "2 条录音，共 4 秒，跳过 2 条", "2026-01-02 03:04",
        "听得最差的录音",
    ):  # fmt: skip
        assert part in page.text, part
    assert page.tags["svg"] == 1 + 1 + 2 + 2 + 1  # errors, grades, delays, confidences by engine, ROC
    assert page.tags["del"] > 1


def test_the_page_says_what_could_not_be_measured() -> None:
    rows = (RowResult(Condition(), (clip("a.wav", 0),), ((0.75, True),), Counter(), 0.1),)
    sure = EngineResult("sure", rows)
    flat = EngineResult(
        "flat", (RowResult(Condition(), (clip("a.wav", 1),), ((0.7, True), (0.7, False)), Counter(), 0.1),)
    )
    page = Page(render(about(paced=False), [sure, flat]))
    assert "sure：没有听错的词" in page.text
    assert "flat：这个引擎不给出置信度" in page.text
    assert "请加 --paced" in page.text
    assert "全部听对" in page.text
    assert "收尾延迟" not in page.text
    assert "—" in page.text


def test_a_page_without_any_result_names_the_reason() -> None:
    page = Page(render(about(), [EngineResult("other", error="gone")]))
    assert "other 未能完成测评：gone" in page.text
    assert page.tags["svg"] == 0


def test_a_long_set_stays_a_page_of_bounded_size() -> None:
    clips = [clip(f"{number}.wav", number % 11) for number in range(3000)]
    html = render(about(clips=3000), [EngineResult("x", (row(Condition(), *clips),))])
    assert len(html.encode()) < 100_000
    assert Page(html).text.count(".wav") <= 2 * 30
