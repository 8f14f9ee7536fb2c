"""What one sentence tells: when, how long, who, the number, the wish; and what it puts right."""

from __future__ import annotations

import pytest

from dialog.contacts import added, dictated, find_contact, missing, verdict
from dialog.corrections import corrected
from dialog.moments import find_duration, told_time
from dialog.names import answered_name, declines_name, find_name, wants_anonymity, wants_secrecy
from dialog.places import load_gazetteer
from dialog.slots import Intake, find_wish, told_kind, told_matter, value_of

pytestmark = [pytest.mark.unit]

GAZETTEER = load_gazetteer()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("烧烤店昨天晚上很吵", "昨天晚上"),
        ("上个月十五号我买的戒指掉色", "上个月十五号"),
        ("工厂每天凌晨三点多排黄烟", "每天凌晨三点多"),
        ("从今年一月份开始就没有交社保", "从今年一月份开始"),
        ("国庆节期间停车场乱收费", "国庆节期间"),
        ("一到晚上八点就放音响", "晚上八点"),
        ("一点都不管", ""),
        ("快一点来修", ""),
        ("我有三点意见", ""),
        ("半夜油烟很大", ""),  # on which day is not told
        ("一直没人修", ""),
        ("建设路十八号的饭店", ""),
        ("七十八号那个小卖部", ""),
    ],
)
def test_when_it_was(text: str, time: str) -> None:
    assert told_time(text) == time


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("自来水已经停了两天了", "两天"),
        ("垃圾堆了一个多星期", "一个多星期"),
        ("老板三个月没发工资", "三个月"),
        ("暖气坏了快半个月了", "半个月"),
        ("停电四个小时了", "四个小时"),
        ("停了半小时收我二十块", ""),
        ("三天前停的", ""),
        ("一年级的孩子", ""),
        ("每三天一次", ""),
    ],
)
def test_how_long_it_has_gone_on(text: str, duration: str) -> None:
    assert find_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("我姓欧阳", "欧阳"),
        ("姓何人可何", "何"),
        ("姓黄黄河的黄", "黄"),
        ("姓王叫王建国", "王建国"),
        ("叫我李女士吧", "李"),
        ("小王", "王"),
        ("我叫苗长根", "苗长根"),
        ("昨天", ""),
        ("我姓什么你别管", ""),
    ],
)
def test_names_as_answers(text: str, name: str) -> None:
    assert answered_name(text) == name


def test_a_name_told_in_passing_begins_with_a_family_name() -> None:
    assert find_name("我姓孙家住北苑小区") == "孙"
    assert find_name("狗一直叫个不停") == ""
    assert find_name("我是路过的") == ""


@pytest.mark.parametrize("text", ["匿名", "你明", "不方便透露", "先别写名字", "可以不说吗", "我是热心市民"])
def test_who_will_not_tell_their_name(text: str) -> None:
    assert declines_name(text)


@pytest.mark.parametrize(
    ("text", "secret", "anonymous"),
    [
        ("别让老板知道是我举报的", True, False),
        ("千万别说是邻居讲的", True, False),
        ("你们去查别提我", True, False),
        ("可以但是要给我保密", True, False),
        ("别把我的电话给他们", True, False),
        ("不要留我的姓了匿名吧", False, True),
        ("楼下的饭店油烟很大", False, False),
        ("老板不让我们说话", False, False),
    ],
)
def test_secrecy_and_anonymity_are_heard_anywhere(text: str, secret: bool, anonymous: bool) -> None:
    assert (wants_secrecy(text), wants_anonymity(text)) == (secret, anonymous)


@pytest.mark.parametrize(
    ("digits", "told", "lacking"),
    [
        ("13800138000", "whole", 0),
        ("138001380", "short", 2),
        ("1380013800012", "long", -2),
        ("12345678901", "wrong", 0),
        ("055165432109", "whole", 0),
        ("05516543", "short", 3),
        ("65432109", "whole", 0),
        ("4008001234", "whole", 0),
    ],
)
def test_numbers_are_judged_by_how_they_begin(digits: str, told: str, lacking: int) -> None:
    assert (verdict(digits), missing(digits)) == (told, lacking)


@pytest.mark.parametrize(
    ("before", "said", "digits"),
    [
        ("", "一三八零零", "13800"),
        ("13800", "一三八", "13800138"),
        ("13800138", "零零零", "13800138000"),
        ("138001380", "一三八零零一三八零零零", "13800138000"),  # said again from the beginning
        ("1380013", "不对一三九零零", "13900"),
        ("", "一三九三个零一三九零零零", "139000139000"),
        ("", "号码一三二零零零零等一下后面是八一八一", "13200008181"),
        ("", "换成我老公的吧幺三六零零零零二三四五", "13600002345"),
        ("", "最后是五五九九一三四零零零零五五九九", "13400005599"),
        ("13800", "对", "13800"),
        ("", "就是", ""),
        ("", "换一个", ""),
    ],
)
def test_numbers_in_pieces(before: str, said: str, digits: str) -> None:
    assert added(before, said) == digits


def test_a_number_in_passing_must_be_whole_and_a_mobile_or_called_a_number() -> None:
    assert find_contact("我姓王电话一三九零零一三九零零零") == "13900139000"
    assert find_contact("户号是一二三四五六七八") == ""
    assert dictated("就用这个号码") == ""


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("下水道堵了希望尽快疏通", "希望尽快疏通"),
        ("这水不敢喝麻烦派人来化验", "麻烦派人来化验"),
        ("年卡还有三千块要求退钱", "要求退钱"),
        ("公司要求我们天天加班", ""),
        ("路灯坏了", ""),
    ],
)
def test_what_is_wished_for(text: str, wish: str) -> None:
    assert find_wish(text) == wish


def test_one_sentence_fills_what_it_tells_and_the_matter_is_the_rest() -> None:
    intake = told_matter(
        Intake(),
        "我要举报人民路十八号的饭店上个月开始油烟很大希望你们管管千万别说是我讲的我姓王",
        GAZETTEER,
    )
    assert (intake.kind, intake.place, intake.time) == ("举报", "人民路十八号", "上个月开始")
    assert (intake.name, intake.secret) == ("王", True)
    assert intake.matter.startswith("饭店上个月开始油烟很大")
    assert "我讲的" not in intake.matter


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("我要投诉", "投诉"),
        ("我举报一家店", "举报"),
        ("我想报修路灯", "报修"),
        ("我提个建议", "建议"),
        ("路灯坏了", ""),
    ],
)
def test_what_the_caller_calls_it(text: str, kind: str) -> None:
    assert told_kind(text) == kind


HELD = Intake(
    matter="路灯坏了",
    place="江北区建设路十八号",
    time="昨天晚上",
    name="王",
    contact="13800138000",
    asking="name",
)


@pytest.mark.parametrize(
    ("said", "slot", "value"),
    [
        ("不是建设路是解放路", "place", "江北区解放路十八号"),
        ("不对是解放路三十号不是建设路十八号", "place", "江北区解放路三十号"),
        ("不是十八号是二十八号", "place", "江北区建设路二十八号"),
        ("建设路十八号不对是八十八号", "place", "江北区建设路八十八号"),
        ("地址说错了应该是解放路五号", "place", "解放路五号"),
        ("刚才说错了是前天上午", "time", "前天上午"),
        ("错了是前天晚上", "time", "前天晚上"),
        ("不是昨天是前天", "time", "前天晚上"),
        ("把时间改成今天早上", "time", "今天早上"),
        ("我姓韦不是姓王", "name", "韦"),
        ("我不姓王我姓黄", "name", "黄"),
        ("名字错了我姓汪", "name", "汪"),
        ("电话错了是一三九零零一三九零零零", "contact", "13900139000"),
        ("电话不对最后四位是五五九九", "contact", "13800135599"),
        ("不是路灯坏了是红绿灯坏了", "matter", "红绿灯坏了"),
    ],
)
def test_corrections_in_the_middle_of_another_question(said: str, slot: str, value: str) -> None:
    intake = corrected(HELD, said, GAZETTEER)
    assert intake is not None
    assert value_of(intake, slot) == value


def test_what_is_only_called_wrong_is_asked_for_anew() -> None:
    intake = corrected(HELD, "电话错了", GAZETTEER)
    assert intake is not None
    assert (intake.asking, intake.contact, intake.contact_refused) == ("contact", "", True)


@pytest.mark.parametrize("said", ["我姓李", "昨天晚上十一点", "这不是一次两次了", "对", "没有"])
def test_answers_are_no_corrections(said: str) -> None:
    assert corrected(HELD, said, GAZETTEER) is None
