"""Categories, departments, urgency and reports of trouble, told without a model; a city's own file."""

from __future__ import annotations

from typing import Any

import pytest

from dialog.intake import Clerk
from dialog.places import load_gazetteer
from dialog.taxonomy import Taxonomy, load_taxonomy

pytestmark = [pytest.mark.unit]

TAXONOMY = load_taxonomy()


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("沿江大道上那个井盖响了好几个月", "市政设施"),
        ("出租车司机不肯打表", "公共交通"),
        ("楼上租户养了三条大狗天天叫", "养犬管理"),
        ("我申请的残疾人补贴一直没到账", "社会救助"),
        ("我的快递显示签收了但是我根本没收到", "快递服务"),
        ("退休工资少发了两个月", "社会保险"),
        ("考驾照的驾校倒闭了学费不退", "道路运输"),
        ("有人半夜往河里倒东西水都是红的", "环境污染"),
        ("这里没有任何线索", "其他诉求"),
    ],
)
def test_categories(text: str, category: str) -> None:
    assert TAXONOMY.classify(text).category == category


def test_every_category_finds_its_own_examples_and_names_slots_that_are_described() -> None:
    known = {"place", "time", *TAXONOMY.slots}
    for category in TAXONOMY.categories:
        right = sum(TAXONOMY.classify(text) == category for text in category.examples)
        assert right >= 0.8 * len(category.examples), category.category
        assert 8 <= len(category.examples) <= 96, category.category
        assert set(category.ask) <= known, category.category
        assert set(category.questions) <= {*category.ask}, category.category
        assert len(category.ask) <= 3, category.category


def test_questions_end_as_questions_do_and_hold_no_digits() -> None:
    for question in TAXONOMY.questions:
        assert question[-1] in "。？"
        assert not any(char.isascii() for char in question)


@pytest.mark.parametrize(
    ("text", "urgency"),
    [
        ("整栋楼停水两天了", "urgent"),
        ("我们小区停电四个小时了", "urgent"),
        ("家里停水了", "normal"),
        ("老板欠我们二十几个工友的工资", "urgent"),
        ("老板欠我工资", "normal"),
        ("墙上的瓷砖掉下来砸到人了", "urgent"),
        ("车撞上护栏没有人受伤", "normal"),
        ("路边井盖不见了", "urgent"),
        ("工人吊在外墙上连根安全绳都没有", "urgent"),
        ("饭馆门头的铁架子要掉下来了", "urgent"),
        ("吃完盒饭好几个人都住院了", "urgent"),
        ("住院花了三万医保局不报", "normal"),
        ("电线掉在地上冒火花", "urgent"),
        ("打了多少次电话孩子上学都等着用", "normal"),
    ],
)
def test_urgency(text: str, urgency: str) -> None:
    assert TAXONOMY.urgency(text) == urgency


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("楼上装修礼拜天一大早就开始用电钻说了他也不听", True),
        ("外卖里吃出一只蟑螂商家还骂我讹钱", True),
        ("公墓的管理费一下子从一百涨到三百有这个道理吗", True),
        ("小区电梯坏了你们管不管啊", True),
        ("公租房里面水管坏了谁修", False),
        ("我想办居住证", False),
        ("医保断了几个月还能报销吗", False),
        ("房子没人住能不能把暖气停了", False),
    ],
)
def test_a_report_of_trouble_is_told_from_a_question(text: str, trouble: bool) -> None:
    assert TAXONOMY.is_problem(text) is trouble


OWN: dict[str, Any] = {
    "slots": {"boat": {"label": "船号", "question": "请问船号是多少？"}},
    "categories": [
        {
            "category": "渡船",
            "department": "渡口管理站",
            "keywords": ["渡船", "船票"],
            "examples": ["渡船半天不开", "船上没有救生衣", "过江等了两个小时"],
            "ask": ["boat"],
        },
        {
            "category": "茶山",
            "department": "茶叶局",
            "keywords": ["茶山", "采茶"],
            "examples": ["有人偷采我家的茶", "茶山上乱打农药"],
        },
    ],
    "default": {"category": "其他", "department": "总机"},
    "urgent": [["船", "翻|沉"]],
}


def test_a_city_brings_its_own_categories_which_train_themselves_and_its_own_slots() -> None:
    own = Taxonomy(OWN)
    assert own.classify("过江等了一上午").category == "渡船"  # by an example, without a keyword
    assert own.classify("茶山那边打药").department == "茶叶局"
    assert own.classify("完全无关").category == "其他"
    assert own.urgency("那条船要翻了") == "urgent"
    assert not own.is_problem("渡船")
    clerk = Clerk(load_gazetteer(), own)
    intake = clerk.start("我要投诉渡船不开")
    assert (intake.asking, clerk.question(intake, "")) == ("boat", "请问船号是多少？")
    intake = clerk.answer(intake, "江渡三号", "")
    draft = clerk.draft(intake)
    assert draft.slots["boat"] == "江渡三号"
    assert "船号：江渡三号。" in draft.text


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("一群流浪狗在学校门口转悠", "养犬管理"),
        ("井盖没了就那么敞在非机动车道上", "市政设施"),
        ("路灯不亮跟物业说了物业让我找社区", "市政设施"),
        ("楼道里拉插线板给电动车充电物业贴个条子就完事了", "消防隐患"),
        ("楼下健身房音乐开得太大", "生活噪音"),
    ],
)
def test_places_and_who_was_asked_in_vain_say_little_of_the_matter(text: str, category: str) -> None:
    assert TAXONOMY.classify(text).category == category


@pytest.mark.parametrize(
    "text", ["无人机飞行许可怎么办", "酒类批发许可证怎么办", "江边能不能钓鱼", "怎么申请专利", "热气球能放吗"]
)
def test_a_guessed_category_is_not_certain(text: str) -> None:
    assert TAXONOMY.certain(text) is None


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("低保户能不能买车", "社会救助"),
        ("楼下烧烤店油烟很大", "餐饮油烟"),
        ("一楼的狗天天半夜叫", "养犬管理"),
    ],
)
def test_a_category_that_the_words_tell_is_certain(text: str, category: str) -> None:
    certain = TAXONOMY.certain(text)
    assert certain is not None
    assert certain.category == category
