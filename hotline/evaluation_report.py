"""The report on an evaluation as one HTML page that needs nothing from outside; operations read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

from hotline import evaluation_wording as wording
from hotline.character_errors import align, compared
from hotline.evaluation_charts import (
    COLOURS,
    GRADES,
    RIGHT,
    WRONG,
    Bar,
    Curve,
    bars,
    curves,
    legend,
    ranges,
    shares,
    two_histograms,
)
from hotline.evaluation_figures import (
    ClipResult,
    EngineResult,
    Figures,
    RowResult,
    Separation,
    Spread,
    all_confusions,
    all_words,
    figures,
    worst_first,
)
from hotline.evaluation_page import element as e
from hotline.evaluation_page import numbers, page, table
from hotline.labelled_speech import Skipped
from hotline.line_conditions import Condition

WORST_CLIPS = 30  # of each row: the page stays readable; the JSON has them all
_CONFUSIONS = 15
_CHOICES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class About:
    """What the whole run was."""

    data: str
    clips: int
    audio_s: float
    skipped: Sequence[Skipped]
    jobs: int
    paced: bool
    made_at: datetime


@dataclass(frozen=True, slots=True)
class _Line:
    """A row with its figures, as it is shown."""

    engine: str
    label: str
    colour: str
    row: RowResult
    figures: Figures


def render(about: About, engines: Sequence[EngineResult]) -> str:
    """The page. It holds callers' words, and says so at its top."""
    lines = list(_lines(engines, paced=about.paced))
    body = e("body", e("h1", "语音识别测评报告"), *_head(about, engines, lines))
    if lines:
        body.extend([_errors(lines), _by_clip(lines), _speed(about, engines, lines)])
        body.extend([_confidence(engines, _colours(engines)), _confused(engines), _worst(lines)])
    if about.skipped:
        body.append(_left_out(about.skipped))
    return page("语音识别测评报告", body)


def _lines(engines: Sequence[EngineResult], *, paced: bool) -> Iterator[_Line]:
    """Condition by condition, so that engines stand side by side; several are told apart by their colours."""
    colours = _colours(engines)
    working = [engine for engine in engines if engine.rows]
    for rows in zip(*(engine.rows for engine in working), strict=True):
        for engine, row in zip(working, rows, strict=True):
            label = _condition(row.condition) if engine is working[0] else ""
            yield _Line(engine.name, label, colours[engine.name], row, figures(row, paced=paced))


def _colours(engines: Sequence[EngineResult]) -> dict[str, str]:
    return {engine.name: COLOURS[number % len(COLOURS)] for number, engine in enumerate(engines)}


def _engines_of(lines: Sequence[_Line]) -> Element:
    """Whose colour is whose."""
    return legend(list({line.engine: line.colour for line in lines}.items()))


def _condition(condition: Condition) -> str:
    parts = ["A 律"] if condition.through == "alaw" else []
    parts += [f"信噪比 {condition.noise_db:g} dB"] if condition.noise_db is not None else []
    parts += [f"丢包 {condition.loss_percent:g}%"] if condition.loss_percent else []
    return "，".join(parts) or "原始录音"


def _head(about: About, engines: Sequence[EngineResult], lines: Sequence[_Line]) -> Iterator[Element]:
    way = "按说话的实际速度送入" if about.paced else "以最快速度送入"
    facts = [
        f"数据：{about.data}",
        f"{about.clips} 条录音，共 {wording.duration(about.audio_s)}"
        + f"，跳过 {len(about.skipped)} 条" * bool(about.skipped),
        f"同时 {about.jobs} 路，{way}",
        f"{about.made_at:%Y-%m-%d %H:%M} 生成",
    ]
    yield e("p", " · ".join(facts), class_="muted")
    yield e("p", e("b", "含来电人原话，请注意保密。"), wording.PRIVATE, class_="private")
    for engine in engines:
        if engine.error:
            yield e("p", e("b", f"{engine.name} 未能完成测评："), engine.error, class_="private failed")
    if lines:
        first = lines[0].row.condition
        best = min((line for line in lines if line.row.condition == first), key=lambda line: line.figures.cer)
        found = best.figures
        text = (
            f"在“{_condition(first)}”条件下，每 100 个字错 {found.cer * 100:.1f} 个"
            f"（95% 置信区间 {found.cer_low * 100:.1f} 到 {found.cer_high * 100:.1f}），"
            f"{found.sentence_error_rate:.0%} 的句子至少有一处错误。"
        )
        who = "错得最少的是 " if len({line.engine for line in lines}) > 1 else "测评对象："
        yield e("section", e("h2", "一句话结论"), e("p", who, e("b", best.engine), "。", text))


def _errors(lines: Sequence[_Line]) -> Element:
    found_by = [(one.label, one.figures, one.colour) for one in lines]
    rates = [Bar(label, found.cer, found.cer_low, found.cer_high, look) for label, found, look in found_by]
    best: dict[Condition, float] = {}
    for line in lines:
        best[line.row.condition] = min(line.figures.cer, best.get(line.row.condition, line.figures.cer))
    several = len({line.engine for line in lines}) > 1
    rows = []
    for line in lines:
        found = line.figures
        is_best = several and found.cer == best[line.row.condition]
        rows.append(
            [
                e("td", line.engine, class_="name"),
                e("td", _condition(line.row.condition)),
                e("td", f"{found.cer:.2%}", class_="n best" if is_best else "n"),
                *numbers(f"{found.cer_low:.1%}–{found.cer_high:.1%}", found.substitutions),
                *numbers(found.deletions, found.insertions, found.characters),
                *numbers(f"{found.sentence_error_rate:.1%}", found.failed),
            ]
        )
    names = ["引擎", "线路", "#字错误率", "#95% 区间", "#替换", "#漏字", "#多字", "#总字数"]
    names += ["#整句错误率", "#识别失败"]
    return e(
        "section",
        e("h2", "字错误率"),
        e("p", wording.CER),
        _engines_of(lines),
        bars(rates, "各引擎、各线路条件下的字错误率"),
        table(names, rows),
        e("p", wording.COMPARED, class_="note"),
    )


def _by_clip(lines: Sequence[_Line]) -> Element:
    rows = []
    for line in lines:
        counts, below = [], -1.0
        for _, most in wording.GRADES:
            counts.append(sum(below < clip.cer <= most for clip in line.row.clips))
            below = most
        rows.append((line.label, line.colour, [count / len(line.row.clips) for count in counts]))
    return e(
        "section",
        e("h2", "错误集中在少数录音，还是普遍都有？"),
        e("p", wording.BY_CLIP),
        legend([(name, colour) for (name, _), colour in zip(wording.GRADES, GRADES, strict=True)]),
        *([_engines_of(lines)] if len({line.engine for line in lines}) > 1 else []),
        shares(rows, "各档录音所占比例"),
    )


def _speed(about: About, engines: Sequence[EngineResult], lines: Sequence[_Line]) -> Element:
    section = e("section", e("h2", "速度与内存"))
    if about.paced:
        section.extend([e("p", wording.PACED), _engines_of(lines)])
        section.extend(_delays("收尾延迟", lines, lambda found: found.finalisation_ms))
        section.extend(_delays("首字延迟", lines, lambda found: found.first_words_ms))
    else:
        section.append(e("p", wording.NOT_PACED))
    rows = []
    for line in lines:
        found = line.figures
        wall = "—" if found.real_time_factor_wall is None else f"{found.real_time_factor_wall:.3f}"
        cells = [e("td", line.engine, class_="name"), e("td", _condition(line.row.condition))]
        rows.append([*cells, *numbers(f"{found.real_time_factor_cpu:.3f}", wall)])
    section.append(table(["引擎", "线路", "#实时率（处理器）", "#实时率（耗时）"], rows))
    section.append(e("p", wording.REAL_TIME, class_="note"))
    rows = []
    for engine in engines:
        if engine.rows:
            memory = [_megabytes(engine.loaded_bytes), _megabytes(engine.peak_bytes)]
            rows.append([e("td", engine.name, class_="name"), *numbers(f"{engine.load_s:.1f} 秒", *memory)])
    section.append(table(["引擎", "#载入用时", "#载入后内存", "#内存峰值"], rows))
    return section


def _delays(name: str, lines: Sequence[_Line], of: Callable[[Figures], Spread | None]) -> Iterator[Element]:
    rows = [(line.label, spread, line.colour) for line in lines if (spread := of(line.figures)) is not None]
    yield e("h3", name)
    yield ranges(rows, name) if rows else e("p", "没有测到。", class_="muted")


def _confidence(engines: Sequence[EngineResult], colours: dict[str, str]) -> Element:
    measured = [(engine.name, all_words(engine)) for engine in engines if engine.rows]
    rated = [(name, words) for name, words in measured if words.auc is not None]
    section = e("section", e("h2", "置信度能否分出对错"), e("p", wording.CONFIDENCE))
    for name, words in measured:
        if words.auc is None:
            section.append(e("p", f"{name}：{_why_not_rated(words)}，无法判断。", class_="muted"))
    if rated:
        left = e(
            "div",
            e("h3", "对错词的置信度分布（各占本类的比例）"),
            legend([("听对的词（向上）", RIGHT), ("听错的词（向下）", WRONG)]),
        )
        for name, words in rated:
            left.extend([e("p", name, class_="muted"), two_histograms(words.right, words.wrong, name)])
        keys = [(f"{name}（AUC {words.auc:.3f}）", colours[name]) for name, words in rated]
        roc = [Curve(_roc(words), colours[name]) for name, words in rated]
        right = e("div", e("h3", "ROC 曲线（越靠左上角越好）"), legend(keys))
        right.append(curves(roc, "ROC 曲线", "放过的错词", "保留的对词"))
        section.extend([e("div", left, right, class_="side"), _thresholds(rated)])
    return section


def _why_not_rated(words: Separation) -> str:
    if not words.right:
        return "没有听对的词"
    return "这个引擎不给出置信度" if words.wrong else "没有听错的词"


def _roc(words: Separation) -> list[tuple[float, float]]:
    return [(0.0, 0.0), *((one.wrong_kept, one.right_kept) for one in reversed(words.curve))]


def _thresholds(rated: Sequence[tuple[str, Separation]]) -> Element:
    """What each choice of a threshold would mean."""
    block = e("div", e("h3", "如何选门槛"))
    block.append(e("p", wording.THRESHOLDS))
    for name, words in rated:
        points = {point.confidence: point for point in words.curve}
        chosen = [points[choice] for choice in _CHOICES]
        rows = [
            [e("td", "保留的对词"), *numbers(*(f"{point.right_kept:.1%}" for point in chosen))],
            [e("td", "放过的错词"), *numbers(*(f"{point.wrong_kept:.1%}" for point in chosen))],
        ]
        title = f"{name}：对词 {len(words.right)} 个，错词 {len(words.wrong)} 个"
        block.append(e("p", title, class_="muted"))
        block.append(table(["门槛", *(f"#{choice:g}" for choice in _CHOICES)], rows))
    return block


def _confused(engines: Sequence[EngineResult]) -> Element:
    section = e("section", e("h2", "最常听混的字"), e("p", wording.CONFUSED))
    for engine in engines:
        pairs = all_confusions(engine).most_common(_CONFUSIONS)
        if engine.rows:
            spans = [e("span", f"{written} → {heard}　{count}") for (written, heard), count in pairs]
            section.append(e("div", e("h3", engine.name), *(spans or [e("p", "没有。")]), class_="pairs"))
    return section


def _worst(lines: Sequence[_Line]) -> Element:
    section = e(
        "section",
        e("h2", "听得最差的录音"),
        e(
            "p",
            "对照一栏中，",
            e("del", "红色"),
            "是原文中漏掉或听错的字，",
            e("ins", "绿色"),
            f"是听成或多出的字。每组最多列 {WORST_CLIPS} 条，全部结果请用 --json 输出。",
        ),
    )
    for number, line in enumerate(lines):
        wrong = [clip for clip in worst_first(line.row.clips) if clip.errors][:WORST_CLIPS]
        rows = [_clip(one) for one in wrong]
        content = table(["录音", "#字错误率", "对照", "原文与听到的"], rows)
        name = e("summary", f"{line.engine} · {_condition(line.row.condition)}")
        block = e("details", name, content if wrong else e("p", "全部听对。"))
        if number == 0:
            block.set("open", "open")
        section.append(block)
    return section


def _clip(clip: ClipResult) -> list[Element]:
    marks: list[Element | str] = []
    for step in align(compared(clip.text), compared(clip.heard)).steps:
        if step.right:
            marks.append(step.written)
        else:
            changed = (("del", step.written), ("ins", step.heard))
            marks.extend(e(tag, text) for tag, text in changed if text)
    heard = f"识别失败：{clip.error}" if clip.error else clip.heard or "（什么也没听到）"
    return [
        e("td", clip.name, class_="name"),
        e("td", f"{clip.cer:.0%}", class_="n"),
        e("td", *marks),
        e("td", clip.text, e("br"), e("span", heard, class_="muted")),
    ]


def _left_out(skipped: Sequence[Skipped]) -> Element:
    rows = [[e("td", one.name, class_="name"), e("td", wording.reason(one))] for one in skipped]
    name = e("summary", f"跳过的录音（{len(skipped)} 条）")
    return e("section", e("details", name, table(["录音", "原因"], rows)))


def _megabytes(size: int | None) -> str:
    return "—" if size is None else f"{size / 1e6:.0f} MB"
