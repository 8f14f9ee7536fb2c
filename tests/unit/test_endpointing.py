"""How long a silence ends a turn: by what was said, by what was asked, by the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialog import Expects
from dialog.passages import load_passages
from voice.completeness import CERTAIN, log_odds, model, normalised
from voice.endpointing import Endpointer, EndpointSettings
from voice.prosody import Prosody

pytestmark = [pytest.mark.unit]

SAMPLE = Path(__file__).parents[2] / "dialog" / "knowledge"
SETTINGS = EndpointSettings()
SOON_S, LATE_S = 0.45, SETTINGS.uncertain_s
ASKED: tuple[Expects, ...] = ("anything", "yes_no", "digits", "place", "name", "time", "matter")


def patience_s(
    partial: str,
    expects: Expects = "anything",
    digits: int = 0,
    *,
    settings: EndpointSettings = SETTINGS,
    paused_s: float = 0.0,
    prosody: Prosody | None = None,
) -> float:
    return Endpointer(settings).patience_s(
        partial, expects=expects, digits=digits, paused_s=paused_s, prosody=prosody
    )


WHOLE = [
    "社保卡丢了怎么补办",
    "居住证怎么办理",
    "公积金贷款最多能贷多少钱",
    "身份证丢了怎么补办",
    "暖气费怎么交",
    "小学什么时候报名",
    "办居住证要什么材料",
    "家里突然停水了怎么办",
    "税务局在哪里",
    "没有工作单位可以自己交社保吗",
    "我想问一下医保断了怎么办",
    "公交卡丢了能补吗",
    "违章罚款在哪里交",
    "转人工",
    "帮我转人工",
    "我要转人工",
    "再说一遍",
    "不用了谢谢",
    "没有了",
    "再见",
    "着火了",
    "说慢一点",
    "好的谢谢",
]

BROKEN_OFF = [
    "我想问一下",
    "我想咨询一下",
    "我想反映一下",
    "就是",
    "就是那个",
    "因为",
    "然后",
    "还有",
    "如果",
    "但是",
    "或者",
    "第",
    "请问",
    "你好我想问一下",
    "社保卡在",
    "我想把",
    "我家的水管给",
    "关于",
    "我想跟",
    "我们小区和",
    "社保卡丢了然后",
    "居住证到期了那个",
    "孩子上学因为",
    "我想办理",
    "我的",
    "帮我查一下我的",
    "第十",
    "今年的养老金是从",
    "没有工作单位的",
]


@pytest.mark.parametrize("partial", WHOLE)
def test_whole_requests_are_answered_soon(partial: str) -> None:
    assert SETTINGS.complete_s <= patience_s(partial) <= SOON_S


@pytest.mark.parametrize("partial", BROKEN_OFF)
def test_what_surely_goes_on_is_waited_for(partial: str) -> None:
    assert LATE_S <= patience_s(partial) <= SETTINGS.dangling_s


def test_the_sample_knowledge_s_questions_are_whole() -> None:
    waits_s = sorted(patience_s(passage.question) for passage in load_passages(SAMPLE))
    assert waits_s[len(waits_s) // 2] == SETTINGS.complete_s
    assert waits_s[round(0.9 * len(waits_s))] <= 0.65


@pytest.mark.parametrize(
    "partial", ["出差时急诊的费用能报不", "我妈六十了能给我抵点税不", "理发店个体执照咋办"]
)
def test_questions_as_people_ask_them(partial: str) -> None:
    assert patience_s(partial) <= patience_s(partial[:-1])
    assert log_odds(normalised(partial)) > log_odds(normalised(partial[:-1]))


@pytest.mark.parametrize(
    "partial", ["夜市里烧炭火可以不", "这么停车犯法不", "坏了半年了有人管没", "这个证该找哪个"]
)
def test_questions_without_a_question_word_at_their_end(partial: str) -> None:
    assert patience_s(partial) < 0.9


@pytest.mark.parametrize("partial", ["我老公也不", "孩子还没", "温度设为两", "材料已经", "我家非常"])
def test_words_that_are_half_of_something(partial: str) -> None:
    assert patience_s(partial) >= LATE_S


@pytest.mark.parametrize(("number", "whole"), [("幺二九五八四九七", None), ("一三九五八四九七", False)])
def test_what_begins_with_12_is_no_mobile_telephone(number: str, whole: bool | None) -> None:
    assert log_odds(normalised(number)) == (0.0 if whole is None else -CERTAIN)


def test_a_murmur_may_be_all_or_a_beginning() -> None:
    assert SETTINGS.uncertain_s <= patience_s("呃") < SETTINGS.dangling_s
    assert patience_s("呃", "yes_no") == SETTINGS.complete_s


@pytest.mark.parametrize("partial", ["怎么办理", "去哪里投诉", "现在", "想听歌曲自由自在", "人不在"])
def test_endings_that_only_look_like_dangling_ones(partial: str) -> None:
    assert log_odds(normalised(partial)) > -CERTAIN


@pytest.mark.parametrize("expects", ASKED)
@pytest.mark.parametrize("partial", ["", "  ", "，", "…"])
def test_no_words_yet(partial: str, expects: Expects) -> None:
    assert patience_s(partial, expects) == SETTINGS.unknown_s


@pytest.mark.parametrize(
    "partial", ["是的", "对", "对的", "嗯", "不用了", "没有", "可以", "好的", "不要", "没错"]
)
def test_an_answer_to_a_yes_or_no_question(partial: str) -> None:
    assert patience_s(partial, "yes_no") == SETTINGS.complete_s


@pytest.mark.parametrize("partial", ["怎么合并到临江", "怎么装电动汽车充电桩", "公积金怎么合并到临江"])
def test_how_to_do_something_is_whole_with_its_object(partial: str) -> None:
    assert patience_s(partial) < 1.0
    assert patience_s(partial[: partial.index("怎么") + 2]) > patience_s(partial)


TAKEN = [
    "就用这个号码",
    "就这个吧",
    "就这个",
    "用我现在这个电话",
    "打这个电话就行",
    "对就用这个",
    "就是这个",
    "还是用这个号码",
    "这个号码可以",
    "用现在这个号码吧",
    "就打这个电话联系",
    "就按这个地址",
]


@pytest.mark.parametrize("partial", TAKEN)
def test_what_was_offered_is_taken(partial: str) -> None:
    assert patience_s(partial, "yes_no") == SETTINGS.complete_s


@pytest.mark.parametrize("partial", ["不是", "不对", "错了", "不是的"])
def test_who_denies_has_a_moment_to_say_what_is_right(partial: str) -> None:
    assert 0.6 <= patience_s(partial, "yes_no") <= 0.9


@pytest.mark.parametrize(
    "partial",
    [
        "不是因为",
        "不是是",
        "不是应该是",
        "不对是",
        "不是我的是",
        "对但是",
        "可以但是",
        "是的我想问一下",
        "就用",
        "用我现在",
        "换一个",
        "还是打我",
    ],
)
def test_a_yes_or_no_that_goes_on(partial: str) -> None:
    assert patience_s(partial, "yes_no") >= LATE_S


NUMBERS = [
    ("一三五六八九四四二五七", True),
    ("幺三五六八九四四二五七", True),
    ("13568944257", True),
    ("135 6894 4257", True),
    ("我的电话是幺三九零零零零幺二三四", True),
    ("八八六四八五七三", True),
    ("零一零八八六四八五七三", True),
    ("一三五", False),
    ("一三五六八", False),
    ("一三五六八九四四二五", False),
    ("我的电话是幺三九零零", False),
    ("1356894", False),
    ("八八六四八", False),
    ("二二二", False),
    ("零一零八八", False),
]


@pytest.mark.parametrize(("partial", "whole"), NUMBERS)
@pytest.mark.parametrize("expects", ["anything", "digits"])
def test_a_number_has_a_length(partial: str, whole: bool, expects: Expects) -> None:
    assert patience_s(partial, expects) == (SETTINGS.complete_s if whole else SETTINGS.dangling_s)


@pytest.mark.parametrize(("count", "wait_s"), [(1, 1.6), (10, 1.6), (11, 0.3), (12, 0.3)])
def test_the_length_that_was_asked_for(count: int, wait_s: float) -> None:
    assert patience_s("二五一一二一零零零零七三"[:count], "digits", 11) == wait_s


def test_a_ticket_s_number_that_begins_like_a_telephone_s() -> None:
    assert patience_s("一三五六八九四四二五七", "digits", 14) == SETTINGS.dangling_s
    assert patience_s("一三五六", "digits", 4) == SETTINGS.complete_s


@pytest.mark.parametrize("partial", ["人民路十八号", "幸福小区三栋幺二零二", "二零二四年"])
def test_doors_and_years_are_no_telephone_numbers(partial: str) -> None:
    assert patience_s(partial, "place") < SETTINGS.dangling_s


def test_no_number_when_one_was_asked_for() -> None:
    assert patience_s("我不记得了", "digits", 11) < SETTINGS.uncertain_s
    assert patience_s("转人工", "digits", 11) == SETTINGS.complete_s


@pytest.mark.parametrize("expects", ["place", "matter"])
def test_who_dictates_is_given_time(expects: Expects) -> None:
    assert patience_s("昨天晚上小区门口的路灯坏了没人来修", expects) >= SETTINGS.dictation_s


@pytest.mark.parametrize(
    ("partial", "expects"),
    [
        ("我姓王", "name"),
        ("免贵姓李", "name"),
        ("王建国", "name"),
        ("昨天晚上", "time"),
        ("上午九点", "time"),
    ],
)
def test_short_answers_to_what_was_asked(partial: str, expects: Expects) -> None:
    assert patience_s(partial, expects) <= min(0.75, patience_s(partial))


def test_the_likelier_the_words_are_all_the_shorter_the_wait() -> None:
    endpointer = Endpointer(SETTINGS)
    waits_s = [endpointer.wait_s(tenths / 10) for tenths in range(-60, 61)]
    assert waits_s == sorted(waits_s, reverse=True)
    assert (waits_s[0], waits_s[60], waits_s[-1]) == (
        SETTINGS.dangling_s,
        SETTINGS.uncertain_s,
        SETTINGS.complete_s,
    )


@pytest.mark.parametrize("partial", ["", "社保卡丢了怎么补办", "社保卡", "我想问一下", "一三五六八"])
@pytest.mark.parametrize("patience", [0.5, 0.8, 1.3, 2.0])
def test_patience_scales_every_wait(partial: str, patience: float) -> None:
    scaled = patience_s(partial, settings=EndpointSettings(patience=patience))
    assert scaled == pytest.approx(patience * patience_s(partial))


@pytest.mark.parametrize(
    "partial", [*WHOLE, *BROKEN_OFF, "社保卡", "王府井大街", "a", "OK", "🙂", "我" * 500]
)
def test_waits_stay_within_the_settings(partial: str) -> None:
    assert SETTINGS.complete_s <= patience_s(partial) <= SETTINGS.dangling_s


def test_a_longer_beginning_is_no_reason_to_forget_the_end() -> None:
    assert patience_s("我家楼下有个工地半夜还在打桩吵得根本睡不着我想问一下" * 3) >= LATE_S


def test_the_voice_counts_as_much_as_the_setting_says() -> None:
    unsure = "社保卡"
    weak, full = Prosody(-12, 0.5), Prosody(0, 1)
    heard = EndpointSettings(voice_weight=2.0)
    assert patience_s(unsure, settings=heard, prosody=weak) < patience_s(unsure, settings=heard, prosody=full)
    deaf = EndpointSettings(voice_weight=0.0)
    assert patience_s(unsure, settings=deaf, prosody=weak) == patience_s(unsure, settings=deaf)


@pytest.mark.parametrize("partial", ["我想问一下", "一三五六八", "一三五六八九四四二五七"])
def test_no_voice_overrules_what_is_certain(partial: str) -> None:
    heard = EndpointSettings(voice_weight=10.0)
    for prosody in (Prosody(-20, 0), Prosody(0, 1)):
        assert patience_s(partial, settings=heard, prosody=prosody) == patience_s(partial)


def test_who_has_paused_is_waited_for_longer_unless_the_words_surely_are_all() -> None:
    uncertain, dangling, whole = "家里停水了", "我想问一下", "社保卡丢了怎么补办"
    for text in (uncertain, dangling):
        assert patience_s(text, paused_s=1.5) == pytest.approx(1.5 + SETTINGS.pause_margin_s)
        assert patience_s(text, paused_s=0.5) == patience_s(text)
        assert patience_s(text, paused_s=9.0) == patience_s(text, paused_s=5.0) < 3.0
    assert patience_s(whole, paused_s=1.5) == patience_s(whole)


@pytest.mark.parametrize(
    "settings",
    [{"complete_s": 0.0}, {"complete_s": 1.495}, {"dangling_s": 0.8}, {"patience": 0.0}, {"unknown_s": -1.0}],
)
def test_settings_out_of_order_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        EndpointSettings(**settings)


def test_log_odds_are_bounded_and_repeatable() -> None:
    for text in ("社保卡丢了怎么补办", "我", "打开", "我想问一下"):
        odds = log_odds(normalised(text))
        assert -CERTAIN <= odds <= CERTAIN
        assert log_odds(normalised(text)) == odds


def test_unknown_characters_are_read_too() -> None:
    assert -20 < model().log_odds("龘龘龘怎么办") < 20


def test_writing_does_not_matter() -> None:
    assert normalised("135，68 幺〇。") == "一三五六八一零"
    assert normalised("10086") == "一零零八六"
    assert normalised("打开Maps") == normalised("打开BecauseOfYou")
