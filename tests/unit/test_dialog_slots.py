"""What one sentence tells: when, how long, who, the number, the wish; and what it puts right."""

from __future__ import annotations

import pytest

from dialog.contacts import (
    added,
    dictated,
    find_contact,
    keeps_number,
    means_this_number,
    missing,
    verdict,
)
from dialog.corrections import corrected
from dialog.discretion import wants_anonymity, wants_secrecy
from dialog.moments import answered_time, find_duration, habit, told_time
from dialog.names import answered_name, declines_name, find_name
from dialog.places import load_gazetteer
from dialog.slots import Intake, find_wish, told_kind, told_matter, value_of
from dialog.words import strip_fillers

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
        ("还在烧纸今天我闺女中考能不能消停会儿", ""),
        ("明天我儿子高考工地昨天晚上还在打桩", "昨天晚上"),
        ("上礼拜打过电话没人理路灯不亮", ""),
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


@pytest.mark.parametrize(
    ("said", "slot", "value"),
    [
        ("号码最后四位错了，是六六幺七", "contact", "13800136617"),
        ("村名错了，是肖庄村", "place", "江北区肖庄村十八号"),
        ("门牌号不对，是二十八号", "place", "江北区赵庄村二十八号"),
        ("店名写错了，是川湘阁", "business", "川湘阁"),
        ("不是祝红，是竺红，竹字头下面一个二那个竺", "name", "竺红"),
        ("名字写祝小红吧", "name", "祝小红"),
        ("改一下时间，是上礼拜四", "time", "上礼拜四"),
        ("门牌号是二十八号，我念倒了", "place", "江北区赵庄村二十八号"),
        ("是二十八号，我一着急说成十八号了", "place", "江北区赵庄村二十八号"),
        ("村名字不对，是红旗岭村", "place", "江北区红旗岭村十八号"),
        ("饭店叫川湘阁", "business", "川湘阁"),
        ("地方没错，名字写成祝宏吧", "name", "祝宏"),
    ],
)
def test_corrections_at_the_read_back(said: str, slot: str, value: str) -> None:
    held = Intake(
        "饭店乱收费",
        "江北区赵庄村十八号",
        "上礼拜五",
        "祝红",
        "13800138000",
        asking="confirm",
        more=(("business", "川香阁"),),
    )
    put_right = corrected(held, strip_fillers(said), GAZETTEER)
    assert put_right is not None
    assert value_of(put_right, slot) == value


BREATH = Intake(
    "楼上漏水",
    "光明小区三栋",
    "昨天晚上",
    "张",
    "13800138000",
    asking="confirm",
    done=frozenset({"matter", "place", "time", "name", "contact"}),
)


@pytest.mark.parametrize(
    ("said", "place", "time", "name", "contact"),
    [
        ("不是三栋是五栋，电话也错了，是一三九零零零零五五九九", "五栋", "昨天晚上", "张", "13900005599"),
        ("不是三栋是五栋，不姓张姓章", "五栋", "昨天晚上", "章", "13800138000"),
        ("地址是五栋不是三栋，时间是前天晚上", "五栋", "前天晚上", "张", "13800138000"),
        ("时间错了，是前天，另外电话最后四位是五五九九", "三栋", "前天", "张", "13800135599"),
        ("不是昨天晚上是前天晚上，不是三栋是五栋", "五栋", "前天晚上", "张", "13800138000"),
        ("地点错了，不是三栋，是五栋", "五栋", "昨天晚上", "张", "13800138000"),
        ("名字错了，姓章，地址没错", "三栋", "昨天晚上", "章", "13800138000"),
    ],
)
def test_two_corrections_in_one_breath(said: str, place: str, time: str, name: str, contact: str) -> None:
    put_right = corrected(BREATH, strip_fillers(said), GAZETTEER)
    assert put_right is not None
    found = (put_right.place, put_right.time, put_right.name, put_right.contact)
    assert found == (f"光明小区{place}", time, name, contact)


def test_what_is_called_by_a_name_of_its_own_is_no_correction() -> None:
    asked = Intake("外卖里有钢丝", asking="place", done=frozenset({"matter"}))
    assert corrected(asked, "商家写的地址是东风路二十八号", GAZETTEER) is None


@pytest.mark.parametrize("text", ["名字就算了", "不能留，老板认识我", "名字不用登了", "一个开车的市民"])
def test_a_name_is_declined_in_many_words(text: str) -> None:
    assert declines_name(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("我叫简单，简单的简，单位的单", "简单"), ("我叫敖广林，敖是敖包的敖", "敖广林"), ("姓鞠躬的鞠", "鞠")],
)
def test_how_a_name_is_written_is_no_part_of_it(text: str, name: str) -> None:
    assert answered_name(strip_fillers(text)) == name


def test_the_number_called_from_is_told_in_passing() -> None:
    assert means_this_number("我姓高电话就打这个号")
    assert means_this_number("别打单位的打我这个就行")
    assert not means_this_number("不用打这个号")
    assert keeps_number("有十来天了电话我不留啊")


@pytest.mark.parametrize(
    "text", ["我天天回来没地方停", "三号窗口的人不理我", "今年都七八回了", "等得到那天吗"]
)
def test_what_is_told_vaguely_or_of_other_things_is_not_when_it_was(text: str) -> None:
    assert told_time(text) == ""


def test_a_short_answer_to_when_is_taken_as_it_stands() -> None:
    assert answered_time("这个学期开学到现在") == "这个学期开学到现在"
    assert answered_time("大概是上周三开始的") == "上周三开始"
    assert habit("楼上天天晚上一帮人来打牌") == "天天晚上"


@pytest.mark.parametrize(
    "text", ["可别讲出去是我", "不要透露出去是我说的", "千万别说出去", "别讲给他听", "你们别说漏嘴"]
)
def test_secrecy_is_asked_for_in_many_words(text: str) -> None:
    assert wants_secrecy(text)


@pytest.mark.parametrize("text", ["说出去我也不怕", "不要说了", "可以透露我的姓"])
def test_other_words_ask_for_no_secrecy(text: str) -> None:
    assert not wants_secrecy(text)


@pytest.mark.parametrize(("text", "name"), [("留个姓吧姓辛", "辛"), ("姓氏是吴", "吴"), ("姓就不留了", "")])
def test_a_particle_is_no_name(text: str, name: str) -> None:
    assert answered_name(text) == name


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("三万块的课怎么练我要求全额退款", "我要求全额退款"),
        ("他跟我要求加钱", ""),
        ("我要求过几次都没用", ""),
    ],
)
def test_what_the_caller_demands_is_a_wish(text: str, wish: str) -> None:
    assert find_wish(text) == wish


@pytest.mark.parametrize(
    ("text", "duration"),
    [("床单半个月不换", ""), ("一个月扣十五块扣了大半年我要它干什么", "大半年"), ("扣了三个月工资", "")],
)
def test_how_rarely_and_how_much_is_no_duration(text: str, duration: str) -> None:
    assert find_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("夕阳红养老院，在光明路", "夕阳红养老院光明路"),
        ("我家在光明路", "光明路"),
        ("在潮阳路二号", "朝阳路二号"),
    ],
)
def test_where_a_house_lies_does_not_push_out_its_name(text: str, place: str) -> None:
    assert GAZETTEER.answered(text) == place


def test_a_name_is_no_part_of_a_street() -> None:
    assert GAZETTEER.find("我姓姚柳阳路三十三号") == "柳阳路三十三号"
