"""Taking down a complaint, slot by slot."""

from __future__ import annotations

import pytest

from asr.written import Writer
from dialog import phrases
from dialog.intake import Clerk, Intake
from dialog.places import load_gazetteer, load_taxonomy

pytestmark = [pytest.mark.unit]

CLERK = Clerk(load_gazetteer(), load_taxonomy())
CALLER = "13800138000"


def taken(first: str, *answers: str, caller: str = CALLER) -> Intake:
    intake = CLERK.start(first)
    for answer in answers:
        intake = CLERK.answer(intake, answer, caller)
    return intake


FULL = ("我要投诉楼下的饭店半夜油烟很大", "江北区建设路十八号", "昨天晚上十一点", "我姓王", "就用这个号码")


def test_one_question_at_a_time_until_all_is_read_back() -> None:
    intake = CLERK.start(FULL[0])
    asked = [intake.asking]
    for answer in FULL[1:]:
        intake = CLERK.answer(intake, answer, CALLER)
        asked.append(intake.asking)
    assert asked == ["place", "time", "name", "contact", "confirm"]
    assert CLERK.question(intake, CALLER) == (
        "我跟您核对一下。您反映的是，楼下的饭店半夜油烟很大，地点在江北区建设路十八号，时间是昨天晚上十一点，"
        "您姓王，联系电话就是您现在这个号码。请问对吗？"
    )
    assert CLERK.answer(intake, "对", CALLER).asking == "filing"


def test_the_first_sentence_may_fill_several_slots() -> None:
    intake = taken("我要投诉人民路十八号烧烤店昨天晚上很吵")
    assert (intake.matter, intake.place, intake.time) == ("烧烤店昨天晚上很吵", "人民路十八号", "昨天晚上")
    assert intake.asking == "name"


def test_a_bare_complaint_asks_what_it_is_about() -> None:
    assert taken("我要投诉").asking == "matter"
    assert taken("我要投诉", "小区门口有人乱摆摊").matter == "小区门口有人乱摆摊"


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("在人民路", "人民路"),
        ("地址是江北区建设路十八号", "江北区建设路十八号"),
        ("人民栋路五号", "人民东路五号"),
        ("就在碧水弯东门口那边", "碧水湾东门口"),
        ("人民路和世纪大道的路口", "人民路和世纪大道的路口"),
        ("学校旁边那条巷子", "学校旁边那条巷子"),
    ],
)
def test_places_are_spelled_as_the_gazetteer_spells_them(said: str, place: str) -> None:
    assert taken("我要投诉路灯坏了", said).place == place


def test_a_district_alone_is_asked_once_more() -> None:
    intake = taken("我要投诉路灯坏了", "江北区")
    assert intake.asking == "place"
    assert CLERK.question(intake, CALLER) == phrases.INTAKE_PLACE_AGAIN
    assert taken("我要投诉路灯坏了", "江北区", "建设路").place == "江北区建设路"
    stubborn = taken("我要投诉路灯坏了", "江北区", "江北区")
    assert (stubborn.place, stubborn.asking) == ("江北区", "time")


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("昨天晚上十一点", "昨天晚上十一点"),
        ("每天半夜", "每天半夜"),
        ("大概是上周三开始的", "上周三开始"),
        ("从三天前的晚上", "从三天前的晚上"),
        ("记不清了", ""),
        ("过年那会儿", "过年那会儿"),
    ],
)
def test_times(said: str, time: str) -> None:
    intake = taken("我要投诉路灯坏了", "人民路", said)
    assert intake.time == time
    assert intake.asking == "name"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("我姓王", "王"),
        ("免贵姓李", "李"),
        ("我叫程浩然", "程浩然"),
        ("王女士", "王"),
        ("匿名", ""),
        ("你明", ""),
        ("不想说", ""),
    ],
)
def test_names(said: str, name: str) -> None:
    intake = taken("我要投诉路灯坏了", "人民路", "昨天", said)
    assert intake.name == name
    assert intake.asking == "contact"


@pytest.mark.parametrize(
    ("answers", "contact"),
    [
        (["就用这个号码"], CALLER),
        (["对"], CALLER),
        (["可以"], CALLER),
        (["一三九零零一三九零零零"], "13900139000"),
        (["不是", "一三九零零一三九零零零"], "13900139000"),
        (["不用这个号码", "幺三九，零零幺三九，零零零"], "13900139000"),
        (["不用联系我"], ""),
    ],
)
def test_contacts(answers: list[str], contact: str) -> None:
    intake = taken("我要投诉路灯坏了", "人民路", "昨天", "我姓王", *answers)
    assert intake.contact == contact
    assert intake.asking == "confirm"


def test_a_withheld_number_is_asked_for() -> None:
    intake = taken("我要投诉路灯坏了", "人民路", "昨天", "我姓王", caller="")
    assert CLERK.question(intake, "") == phrases.INTAKE_CONTACT_ASK
    assert CLERK.answer(intake, "不留", "").asking == "confirm"
    assert "没有留联系电话" in CLERK.read_back(CLERK.answer(intake, "不留", ""), "")


def test_another_number_is_read_back_digit_by_digit() -> None:
    intake = taken(*FULL[:4], "一三九零零一三九零零零")
    assert "联系电话是幺三九，零零幺三，九零零零" in CLERK.question(intake, CALLER)


@pytest.mark.parametrize(
    ("said", "slot", "value"),
    [
        ("不是建设路是解放路", "place", "江北区解放路十八号"),
        ("地址改成解放路五号", "place", "解放路五号"),
        ("不对，是人民栋路十八号", "place", "人民东路十八号"),
        ("时间是前天晚上", "time", "前天晚上"),
        ("不对，是前天晚上", "time", "前天晚上"),
        ("我姓黄", "name", "黄"),
        ("号码改成一三九零零一三九零零零", "contact", "13900139000"),
        ("内容改成饭店占道经营", "matter", "饭店占道经营"),
    ],
)
def test_corrections_after_the_read_back(said: str, slot: str, value: str) -> None:
    corrected = taken(*FULL, said)
    assert getattr(corrected, slot) == value
    assert corrected.asking == "confirm"
    assert CLERK.question(corrected, CALLER).startswith("我跟您核对一下")


def test_a_plain_no_asks_what_is_wrong() -> None:
    intake = taken(*FULL, "不对")
    assert CLERK.question(intake, CALLER) == phrases.INTAKE_WHICH_WRONG
    corrected = CLERK.answer(intake, "解放路", CALLER)
    assert (corrected.place, corrected.asking) == ("解放路", "confirm")


def test_what_is_not_understood_is_counted() -> None:
    intake = taken(*FULL, "啊这个嘛")
    assert (intake.asking, intake.tries) == ("confirm", 1)
    assert CLERK.question(intake, CALLER) == phrases.INTAKE_CONFIRM_AGAIN


@pytest.mark.parametrize(
    ("matter", "category", "department", "urgency"),
    [
        ("楼下的饭店半夜油烟很大", "餐饮油烟", "市城市管理局", "normal"),
        ("工地半夜两点还在打桩", "施工噪音", "市城市管理局", "normal"),
        ("老板拖欠工资半年了", "劳动纠纷", "市人力资源和社会保障局", "normal"),
        ("路边的井盖不见了差点有人掉进去", "市政设施", "市住房和城乡建设局", "urgent"),
        ("有辆车堵在消防通道上一整天了", "消防隐患", "市消防救援支队", "normal"),
        ("自来水已经停了两天了", "供水", "市水务局", "normal"),
        ("一件说不清的事", "其他诉求", "市政务服务热线办公室", "normal"),
    ],
)
def test_work_orders_are_sorted_without_a_model(
    matter: str, category: str, department: str, urgency: str
) -> None:
    draft = CLERK.draft(Intake(matter=matter))
    assert (draft.category, draft.department, draft.urgency) == (category, department, urgency)


def test_the_work_order_holds_every_slot() -> None:
    draft = CLERK.draft(taken(*FULL))
    assert dict(draft.slots) == {
        "matter": "楼下的饭店半夜油烟很大",
        "place": "江北区建设路十八号",
        "district": "江北区",
        "street": "建设路十八号",
        "time": "昨天晚上十一点",
        "name": "王",
        "contact": CALLER,
        "kind": "投诉",
    }
    assert draft.title == "江北区建设路十八号楼下的饭店半夜油烟很大"


def test_troubles_show_without_the_word_complaint_and_wishes_do_not() -> None:
    taxonomy = CLERK.taxonomy
    assert taxonomy.is_problem("楼道里的声控灯全都坏了")
    assert taxonomy.is_problem("工地半夜两点还在打桩你们管不管")
    assert not taxonomy.is_problem("房子没人住能不能把暖气停了")
    assert not taxonomy.is_problem("居住证怎么办理")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["我要投诉楼下的饭店昨天晚上十一点噪音很大"], {"time": "昨天晚上十一点", "asking": "place"}),
        (
            ["我要投诉楼下的饭店噪音很大", "江北区建设路十八号昨天晚上十一点开始"],
            {"place": "江北区建设路十八号", "time": "昨天晚上十一点开始", "asking": "name"},
        ),
        (
            ["我要投诉楼下的饭店噪音很大", "昨天晚上十一点"],
            {"place": "", "time": "昨天晚上十一点", "asking": "place"},
        ),
        (
            ["我要投诉楼下的饭店噪音很大", "建设路十八号", "我姓王"],
            {"name": "王", "time": "", "asking": "time"},
        ),
    ],
)
def test_an_answer_may_tell_more_than_was_asked_or_something_else(
    answers: list[str], told: dict[str, str]
) -> None:
    intake = taken(*answers)
    assert {key: getattr(intake, key) for key in told} == told


@pytest.mark.parametrize(
    "answers",
    [
        ("我要投诉三号楼的电梯坏了", "人民路十八号三号楼二单元五零一", "八月三号上午九点半", "我姓王"),
        ("我要投诉3号楼的电梯坏了", "人民路18号3号楼2单元501", "8月3号上午9点半", "我姓王"),
    ],
)
@pytest.mark.parametrize("contact", ["幺三八零零零零幺幺幺幺", "13800001111"])
def test_numbers_are_taken_in_words_and_in_digits_and_written_in_the_work_order(
    answers: tuple[str, ...], contact: str
) -> None:
    clerk = Clerk(load_gazetteer(), load_taxonomy(), Writer(load_gazetteer().names).write)
    intake = taken(*answers, contact, caller="")
    assert intake.asking == "confirm"
    draft = clerk.draft(intake)
    assert draft.slots == {
        "matter": "3号楼的电梯坏了",
        "place": "人民路18号3号楼2单元501",
        "district": "江南区",
        "street": "人民路18号",
        "time": "8月3号上午9点半",
        "name": "王",
        "contact": "13800001111",
        "kind": "投诉",
    }
    assert draft.text == (
        "市民反映：8月3号上午9点半，人民路18号3号楼2单元501，3号楼的电梯坏了。诉求：请相关部门核实处理。"
        "联系人：王，联系电话：13800001111。"
    )
    assert "联系电话是幺三八，零零零零，幺幺幺幺" in clerk.read_back(intake, "")
    assert taken(*answers, contact, "地址改成人民路20号", caller="").place == "人民路20号"


def test_a_number_may_be_said_in_pieces() -> None:
    intake = taken(*FULL[:4], "一三八零零", caller="")
    assert CLERK.question(intake, "") == phrases.INTAKE_NUMBER_GO_ON
    intake = CLERK.answer(intake, "一三八", "")
    assert (
        CLERK.question(intake, "")
        == "我听到的是幺三八，零零幺三，八，还差三位，请您接着说，或者从头再说一遍。"
    )
    intake = CLERK.answer(intake, "零零零", "")
    assert (intake.contact, intake.asking) == ("13800138000", "confirm")


def test_a_number_too_long_is_told_and_begun_anew() -> None:
    intake = taken(*FULL[:4], "一三九零零一三九零零零零", caller="")
    assert "多了一位，请您从头再说一遍" in CLERK.question(intake, "")
    assert CLERK.answer(intake, "一三九零零一三九零零零", "").contact == "13900139000"


def test_a_number_that_never_becomes_whole_is_given_up() -> None:
    intake = taken(*FULL[:4], "一三九零零一三九零零零零", "一三九零零一三九零零零零")
    assert (intake.contact, intake.asking) == (CALLER, "confirm")


def test_a_street_in_the_first_sentence_is_asked_where_on_it() -> None:
    intake = taken("我要投诉中山路卖水果的把摊子摆到盲道上")
    assert (intake.asking, CLERK.question(intake, "")) == ("place", phrases.INTAKE_PLACE_WHERE)
    assert taken("我要投诉中山路卖水果的占道", "一百二十八号门口").place == "中山路一百二十八号门口"
    assert taken("我要投诉中山路卖水果的占道", "不知道").place == "中山路"


def test_what_was_said_is_not_asked() -> None:
    assert taken("我要投诉阳光小区三号楼停水三天了我姓王").asking == "contact"


def test_categories_ask_for_what_they_need_and_not_for_what_is_senseless() -> None:
    assert CLERK.asks(taken("我要投诉公司不给我们交社保")) == (
        "matter",
        "business",
        "time",
        "name",
        "contact",
    )
    bus = taken("我要投诉出租车司机拒载", "火车站", "今天早上")
    assert (bus.asking, CLERK.question(bus, "")) == ("plate", "请问车牌号是多少？没有记住也没关系。")
    told = CLERK.answer(bus, "临A一二三四五", "")
    assert dict(told.more) == {"plate": "临a一二三四五"}
    assert dict(CLERK.answer(bus, "没看清", "").more) == {"plate": ""}


def test_an_anonymous_and_secret_report_names_nobody() -> None:
    intake = taken("我要举报人民路十八号的饭店油烟很大千万别说是我讲的", "昨天", "匿名", "可以")
    draft = CLERK.draft(intake)
    assert draft.secret
    assert (draft.slots["anonymous"], draft.slots["name"], draft.slots["kind"]) == ("是", "", "举报")
    assert draft.text == (
        "市民举报：昨天，人民路十八号，饭店油烟很大。诉求：请相关部门核实处理。市民要求对其个人信息保密。"
    )
    assert "您的个人信息会保密" in CLERK.read_back(intake, CALLER)


def test_secrecy_may_be_asked_for_with_the_yes_and_anonymity_is_read_back() -> None:
    assert taken(*FULL, "可以，请帮我保密").asking == "filing"
    assert taken(*FULL, "可以，请帮我保密").secret
    nameless = taken(*FULL, "对，但是不要留我的姓了，匿名吧")
    assert (nameless.asking, nameless.name, nameless.anonymous) == ("confirm", "", True)


def test_more_may_be_told_at_the_read_back() -> None:
    intake = taken(*FULL, "对，另外补充一下，小孩都咳嗽了")
    assert (intake.matter, intake.asking) == ("楼下的饭店半夜油烟很大，小孩都咳嗽了", "confirm")


def test_an_open_work_order_about_the_same_is_offered_to_join() -> None:
    intake = CLERK.offer_join(taken(*FULL), "25112000001")
    assert CLERK.question(intake, CALLER) == (
        "这个问题有人反映过了，正在处理。工单编号是二五幺幺，二零零零，零零幺。帮您一起登记、一并跟进，可以吗？"
    )
    joined = CLERK.answer(intake, "可以", CALLER)
    assert (joined.asking, joined.joins, joined.join_checked) == ("confirm", "25112000001", True)
    draft = CLERK.draft(joined)
    assert (draft.joins, draft.slots["contact"]) == ("25112000001", CALLER)
    alone = CLERK.answer(intake, "不用，我要单独登记", CALLER)
    assert (alone.asking, CLERK.draft(alone).joins) == ("confirm", "")
    unclear = CLERK.answer(intake, "啊这个嘛", CALLER)
    assert (unclear.asking, unclear.tries) == ("join", 1)


def test_the_text_of_a_work_order_holds_what_was_said_and_nothing_else() -> None:
    intake = taken(
        "我要投诉江北区建设路十八号的饭店油烟很大已经三个月了希望尽快处理", "我姓王", "就用这个号码"
    )
    assert CLERK.draft(intake).text == (
        "市民反映：江北区建设路十八号，饭店油烟很大，已经三个月了。诉求：希望尽快处理。"
        "联系人：王，联系电话：13800138000。"
    )


def test_what_is_only_called_wrong_is_asked_for() -> None:
    intake = taken(*FULL, "电话错了")
    assert CLERK.question(intake, CALLER) == phrases.INTAKE_CONTACT_ASK
    assert CLERK.answer(intake, "一三九零零一三九零零零", CALLER).asking == "confirm"


def test_no_question_is_asked_without_end() -> None:
    intake = taken(*FULL[:2])
    assert intake.asking == "time"
    tries = []
    for _ in range(3):
        intake = CLERK.answer(intake, "刚才说错了，是江北区建设路十八号", CALLER)
        tries.append((intake.asking, intake.tries))
    assert tries == [("time", 1), ("name", 0), ("name", 1)]
    assert intake.place == "江北区建设路十八号"
