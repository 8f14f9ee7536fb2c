"""The page that `hotline eval kb --report` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from hotline.evaluation_charts import COLOURS, Curve, curves, legend
from hotline.evaluation_page import element as e
from hotline.evaluation_page import numbers, page, table
from hotline.evaluation_wording import PRIVATE
from hotline.kb_evaluation import Became, Choice, Figures, Outcome, Reliability, Row, worst_first
from hotline.turn_evaluation import Share

_WORST = 60
_TITLE = "知识库与应答测评报告"
_CALIBRATION = (
    "给出的置信度，与实际正确的比例之间的关系：落在虚线上，说明“说有九成把握”时确实十次对九次；"
    "在虚线下方是过于自信。校准误差（ECE）是两者之差按条数加权的平均，越小越好。“所有判断”也包括把握不大、因此反问或转人工的。"
)
_BECAME: dict[Became, str] = {
    "right": "答对",
    "wrong": "答错",
    "asked right": "反问对",
    "asked wrong": "反问错",
    "person": "转人工",
    "work order": "登记工单",
    "other": "其他",
}
_KINDS = {
    "all": "全部",
    "easy": "接近官方说法",
    "plain": "平常说法",
    "hard": "口语或只说情形",
    "near": "相近话题",
    "far": "无关话题",
    "chat": "闲聊",
    "complaint": "诉求",
}
_STATED = {"answers": "直接作答", "decisions": "所有判断", "best hits": "检索第一条"}
_LINES = {"clean": "原话", "recognised": "经语音识别", "all": "合计"}


def render(data: str, made_at: datetime, found: Figures, outcomes: Sequence[Outcome]) -> str:
    """The page. It holds callers' words, and says so at its top."""
    facts = f"数据：{data} · {len(outcomes)} 条 · {made_at:%Y-%m-%d %H:%M} 生成"
    body = e("body", e("h1", _TITLE), e("p", facts, class_="muted"))
    body.append(e("p", e("b", "含来电人原话，请注意保密。"), PRIVATE, class_="private"))
    body.extend([_known(found), _unknown(found), _reliability(found.reliability)])
    body.extend([_choices(found.choices), _worst(outcomes)])
    return page(_TITLE, body)


def _known(found: Figures) -> Element:
    rows = [row for row in found.rows if row.known]
    names = ["提问", "线路", "#条数", "#第一条就对", "#前三条有对", "#直接作答", "#其中答对"]
    kinds: tuple[Became, ...] = ("asked right", "asked wrong", "person", "work order", "other")
    cells = [
        [
            *_names(row),
            *numbers(row.asked, *map(_percent, (row.first, row.first_three, row.answered, row.rightly))),
            *numbers(*(row.became.get(kind, 0) for kind in kinds)),
        ]
        for row in rows
    ]
    section = e("section", e("h2", "知识库里有答案的提问"))
    section.append(table([*names, *(f"#{_BECAME[kind]}" for kind in kinds)], cells))
    section.extend(_delays(found))
    return section


def _unknown(found: Figures) -> Element:
    kinds: tuple[Became, ...] = ("asked wrong", "person", "work order", "other")
    rows = [
        [
            *_names(row),
            *numbers(row.asked, _percent(row.answered), *(row.became.get(kind, 0) for kind in kinds)),
        ]
        for row in found.rows
        if not row.known
    ]
    names = ["说的话", "线路", "#条数", "#误当知道作答", "#反问", "#转人工", "#登记工单", "#其他"]
    section = e("section", e("h2", "知识库里没有答案的话"))
    section.append(table(names, rows) if rows else e("p", "没有测。", class_="muted"))
    return section


def _names(row: Row) -> list[Element]:
    line = "经语音识别" if row.recognised else "原话"
    return [e("td", _KINDS.get(row.name, row.name), class_="name"), e("td", line)]


def _percent(share: Share) -> str:
    return f"{share.count / share.of:.1%}" if share.of else "—"


def _delays(found: Figures) -> Iterator[Element]:
    for name, delay in (("检索一次", found.search_ms), ("从说完到有应答文字", found.reply_ms)):
        if delay:
            text = f"{name}：中位数 {delay.p50:.1f} 毫秒，95% 在 {delay.p95:.1f} 毫秒以内。"
            yield e("p", text, class_="note")


def _reliability(diagrams: Sequence[Reliability]) -> Element:
    shown = [one for one in diagrams if one.count]
    keys, plotted, rows = [], [], []
    for number, one in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        name = f"{_STATED[one.what]}，{_LINES[one.line]}"
        keys.append((f"{name}（ECE {one.error:.3f}）", colour))
        plotted.append(Curve([(part.stated, part.right) for part in one.bins], colour))
        for part in one.bins:
            span = f"{part.low:.1f} 起"
            rows.append(
                [
                    e("td", name),
                    *numbers(span, part.count, f"{part.stated:.3f}", f"{part.right:.3f}"),
                ]
            )
    section = e("section", e("h2", "置信度可不可信"), e("p", _CALIBRATION))
    section.append(legend(keys))
    section.append(curves(plotted, "可靠性图", "给出的置信度", "实际正确的比例"))
    content = table(["", "#置信度", "#条数", "#平均置信度", "#答对比例"], rows)
    section.append(e("details", e("summary", "各档明细"), content))
    return section


def _choices(choices: Sequence[Choice]) -> Element:
    rows = [
        numbers(f"{one.answer_from:g}", *map(_percent, (one.answered, one.rightly, one.unknown)))
        for one in choices
    ]
    text = "把握不低于门槛（dialog.answer_from）才直接作答时，各会怎样（各线路合计）："
    names = ["#门槛", "#直接作答", "#其中答对", "#没有答案却作答"]
    return e("section", e("h2", "如何选门槛"), e("p", text), table(names, rows))


def _worst(outcomes: Sequence[Outcome]) -> Element:
    worst = worst_first(outcomes)
    rows = [
        [
            *numbers(f"{one.confidence:.2f}"),
            e("td", _BECAME[one.became]),
            e("td", one.case.text, *_heard(one)),
            e("td", ", ".join(one.sources)),
            e("td", ", ".join(sorted(one.case.passages)) or "（没有）"),
        ]
        for one in worst[:_WORST]
    ]
    content = table(["#置信度", "结果", "来电人说的", "给出的", "该给的"], rows)
    section = e("section", e("h2", "答错和问错的"))
    section.append(e("p", f"共 {len(worst)} 条，最多列 {_WORST} 条，全部结果请用 --json 输出。"))
    section.append(content if rows else e("p", "没有。"))
    return section


def _heard(one: Outcome) -> list[Element]:
    if not one.case.recognised:
        return []
    return [e("br"), e("span", one.case.heard or "（什么也没听到）", class_="muted")]
