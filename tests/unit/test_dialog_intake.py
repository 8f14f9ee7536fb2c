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
