"""Figures in normal form, and what a clause may say of a passage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialog.figures import amount, figures, normals
from dialog.grounding import Grounds
from dialog.llm_speech import Secrets, Unfit, speakable
from dialog.passages import Passage, load_passages
from dialog.places import load_gazetteer
from dialog.polarity import contradicts
from dialog.words import in_words

pytestmark = [pytest.mark.unit]

GAZETTEER = load_gazetteer()

SAME = [
    ("三十天", "30日内"),
    ("1万2千元", "一万二千块"),
    ("12,000元", "12000元"),
    ("六十万", "60万元"),
    ("一千五百块钱", "1500元"),
    ("两块五", "2.5元"),
    ("百分之二十", "20%"),
    ("两成", "20%"),
    ("二点五二五个百分点", "2.525%"),
    ("八折", "80折"),
    ("上午九点", "9:00"),
    ("下午五点半", "17:30"),
    ("九点到五点", "上午9点到下午5点"),
    ("五月一号", "5月1日"),
    ("半年", "6个月"),
    ("一年", "十二个月"),
    ("两年半", "30个月"),
    ("一个半小时", "90分钟"),
    ("一刻钟", "15分钟"),
    ("二十四小时", "24小时"),
    ("一周", "7天"),
    ("幺二三四五", "12345"),
    ("0571-8888 6666", "057188886666"),
    ("幺三九，零零幺三，九零零零", "13900139000"),
    ("一点五倍", "1.5倍"),
    ("一米五", "1.5米"),
    ("人民路十八号", "人民路18号"),
    ("十五号", "每月15日"),
    ("十八周岁", "18岁"),
    ("九十平米", "90平方米"),
    ("一个月最多", "每月"),
    ("三到五个工作日", "3至5个工作日"),
]
OTHER = [
    ("五个工作日", "5天"),
    ("三个月", "3年"),
    ("20%", "20元"),
    ("晚上九点", "9点"),
    ("上午五点", "17点"),
    ("人民路18号", "人民东路18号，人民路8号"),
    ("12334", "12333"),
    ("第二个月", "两个月"),
    ("5月1日", "5月10日"),
    ("二十元", "200元"),
    ("两张照片", "三个月，1张照片"),
    ("一张照片", "两张照片"),
]
NOTHING = [
    "一般",
    "请等一下",
    "第一步",
    "有一点慢",
    "一定要带",
    "十分抱歉",
    "千万别急",
    "一次性办好",
    "任意一个窗口",
]


@pytest.mark.parametrize(("said", "known"), SAME)
def test_the_same_figure_in_another_form(said: str, known: str) -> None:
    assert figures(said)
    assert all(figure.within(normals(known)) for figure in figures(said))


@pytest.mark.parametrize(("said", "known"), OTHER)
def test_another_figure(said: str, known: str) -> None:
    assert not all(figure.within(normals(known)) for figure in figures(said))


@pytest.mark.parametrize("text", NOTHING)
def test_words_with_a_numeral_that_count_nothing(text: str) -> None:
    assert figures(text) == []


@pytest.mark.parametrize(
    ("words", "value"),
    [("1万2千", 12000), ("一千五", 1500), ("幺二三", 123), ("三点五万", 35000), ("两百", 200)],
)
def test_amounts(words: str, value: float) -> None:
    assert amount(words) == value


CARD = Passage(
    "card",
    "社保卡丢了怎么补办？",
    "请先拨打12333挂失，再带身份证到建设路52号的市社保中心补办，5个工作日拿卡，工本费20元。外地的不能补。",
    department="市人力资源和社会保障局",
)
FREE = Passage("free", "结婚登记要带什么？", "双方带身份证就行，不用带户口本，不收费。")


def kind(clause: str, *passages: Passage, said: str = "", heard: str = "", before: str = "") -> str:
    return Grounds(passages, [said], [heard], GAZETTEER, "临江市").violation(clause, before)


@pytest.mark.parametrize(
    "clause",
    [
        "工本费二十块钱。",
        "请打一二三三三挂失，",
        "带上您的身份证，",
        "到建设路五十二号的社保中心办，",
        "五个工作日就能拿到卡。",
        "归人社局管。",
        "您别着急，",
        "请问您贵姓？",
        "好的，我帮您查一下。",
    ],
)
def test_what_a_passage_says_may_be_said(clause: str) -> None:
    assert kind(clause, CARD) == ""


@pytest.mark.parametrize(
    ("clause", "why"),
    [
        ("工本费三十块钱。", "figure"),
        ("请打12339，", "figure"),
        ("到建设路25号办，", "figure"),
        ("到人民路办，", "place"),
        ("到江北区的社保中心办，", "place"),
        ("到杭州市办，", "place"),
        ("到公安局办，", "office"),
        ("带上户口本，", "document"),
        ("依据《社会保险法》，", "document title"),
        ("补卡不收费。", "polarity"),
        ("外地的可以补。", "polarity"),
        ("不用带身份证，", "polarity"),
    ],
)
def test_what_a_passage_does_not_say_may_not(clause: str, why: str) -> None:
    assert kind(clause, CARD) == why


def test_without_a_passage_there_are_no_rules() -> None:
    assert kind("您可以去窗口办理。") == "rule without a passage"
    assert kind("您好，请问有什么可以帮您？") == ""
    assert kind("您先别急，慢慢说。") == ""


def test_what_a_caller_said_may_be_said_back_and_makes_no_rule() -> None:
    said = "人民路18号半夜施工，是不是要罚五百元"
    assert kind("您反映的是人民路18号半夜施工，", CARD, said=said) == ""
    assert kind("要罚五百元。", CARD, said=said) == "figure"


def test_what_the_agent_said_before_may_be_said_again() -> None:
    assert kind("电话是96116。", CARD, heard="请拨打96116查询。") == ""
    assert kind("电话是96117。", CARD, heard="请拨打96116查询。") == "figure"


def test_figures_belong_to_their_case() -> None:
    ages = Passage("ages", "高龄补贴多少？", "满80岁的老人，每月100元；满90岁，每月300元。")
    assert kind("满八十岁的老人每月一百元，", ages) == ""
    assert kind("满八十岁的老人每月三百元，", ages) == "figures of different cases"
    assert kind("每月三百元。", ages, before="满八十岁的，") == "figures of different cases"


@pytest.mark.parametrize(
    ("clause", "opposite"),
    [
        ("不收费，", False),
        ("是免费的，", False),
        ("要收费，", True),
        ("要带户口本，", True),
        ("不用带户口本，", False),
        ("不用带身份证，", True),
        ("要带身份证，", False),
    ],
)
def test_the_opposite_of_a_passage(clause: str, opposite: bool) -> None:
    assert contradicts(clause, FREE.answer) is opposite


SAMPLE = Path(__file__).parents[2] / "dialog" / "knowledge"
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def is_spoken(answer: str, passage: Passage) -> bool:
    """Whether all of `answer` may be spoken where `passage` is shown."""
    grounds = Grounds([passage], [passage.question], [], GAZETTEER, "临江市")
    said = ""
    for clause in re.findall("[^，。！？；]+[，。！？；]?", answer):
        if grounds.violation(clause, re.split("[。！？]", said)[-1]):
            return False
        said += clause
    return True


def changed(number: str) -> str:
    """Another number that looks like it."""
    if "." in number:
        return f"{float(number) + 0.1:g}"
    return number[:-1] + str((int(number[-1]) + 1) % 10) if len(number) >= 5 else str(int(number) + 3)


def test_every_answer_of_the_sample_may_be_spoken_in_digits_and_in_words() -> None:
    passages = load_passages(SAMPLE)
    refused = [p.id for p in passages for told in (p.answer, in_words(p.answer)) if not is_spoken(told, p)]
    assert len(refused) <= 0.01 * 2 * len(passages), refused


def test_no_answer_of_the_sample_may_be_spoken_with_another_figure() -> None:
    spoken, count = [], 0
    for passage in load_passages(SAMPLE):
        for number in _NUMBER.finditer(passage.answer):
            other = changed(number.group())
            if other in passage.answer:
                continue
            wrong = passage.answer[: number.start()] + other + passage.answer[number.end() :]
            count += 1
            spoken += [passage.id for told in (wrong, in_words(wrong)) if is_spoken(told, passage)]
    assert count > 500
    assert spoken == []


SECRETS = Secrets(["政策和办事只能照查到的内容说，不猜，也不补充。"], ["file_ticket"])


@pytest.mark.parametrize(
    ("clause", "why"),
    [
        ("只能照查到的内容说，", "instructions"),
        ("我用file_ticket登记，", "instructions"),
        ("请看www.example.com，", "internet address"),
        ("Please wait a moment.", "language"),
        ("{'a': 1}", "code"),
        ("我无法回答这个问题。", "refusal"),
        ("用户问的是社保卡，", "reasoning"),
    ],
)
def test_what_cannot_be_spoken(clause: str, why: str) -> None:
    with pytest.raises(Unfit) as raised:
        speakable(clause, SECRETS, [])
    assert raised.value.why == why


@pytest.mark.parametrize(
    ("clause", "spoken"),
    [
        ("**请带**身份证，", "请带身份证，"),
        ("1. 带身份证，", "带身份证，"),
        ("ETC在这里办，", "ETC在这里办，"),
        ("😊", ""),
    ],
)
def test_marks_for_the_eye_are_taken_out(clause: str, spoken: str) -> None:
    assert speakable(clause, SECRETS, ["ETC怎么办"]) == spoken
