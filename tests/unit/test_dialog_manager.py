"""Whole conversations with the embedded dialog, turn by turn, as the session would hold them.

The callers' words are what the built-in recogniser heard of synthetic speech, with its confidence; homophone
errors and all.
"""

from __future__ import annotations

import pytest

from dialog import CallContext, EndCall, Message, Transfer, phrases
from dialog.manager import SLOW_RATE
from dialog.summary import SPOKEN_CHARS, mood, spoken_summary
from tests.unit.conversation import BUY, CARD, DIALOG, HEATING, RENT, Call

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


async def test_demo_a_policy_question_is_answered_and_the_caller_says_goodbye() -> None:
    call = Call()
    assert await call.hears("请问社保卡丢了怎么补办") == CARD.answer + phrases.ANYTHING_ELSE
    assert call.basis.sources == ("kb:social-001",)
    assert call.basis.confidence >= 0.9
    assert call.action is None
    assert await call.hears("没有了谢谢") == phrases.ASK_SATISFACTION
    assert call.basis.closing
    assert call.action is None
    assert await call.hears("满意") == phrases.RATED_GOODBYE
    assert call.basis.satisfaction == 3
    assert isinstance(call.action, EndCall)


async def test_demo_b_a_complaint_is_taken_down_read_back_and_filed() -> None:
    call = Call()
    assert (
        await call.hears("我要投诉楼下的饭店半夜油烟很大", 0.95)
        == phrases.INTAKE_NOTED + phrases.INTAKE_PLACE
    )
    assert await call.hears("江北区建设路十八号") == phrases.INTAKE_TIME
    assert await call.hears("昨天晚上十一点", 0.98) == phrases.INTAKE_NAME
    assert await call.hears("我姓王") == phrases.INTAKE_CONTACT_SAME
    read_back = await call.hears("就用这个号码", 0.71)
    for part in ("楼下的饭店半夜油烟很大", "江北区建设路十八号", "昨天晚上十一点", "您姓王", "现在这个号码"):
        assert part in read_back
    assert call.filed is None
    told = await call.hears("对", 0.99)
    assert call.filed is not None
    assert call.filed.draft.department == "市城市管理局"
    assert "二五幺幺，二幺零零，零零七" in told
    assert "市城市管理局" in told
    assert await call.hears("没有了谢谢") == phrases.ASK_SATISFACTION
    assert call.basis.closing
    assert call.action is None
    assert await call.hears("满意") == phrases.RATED_GOODBYE
    assert call.basis.satisfaction == 3
    assert isinstance(call.action, EndCall)


async def test_demo_c_a_question_outside_the_knowledge_goes_to_a_person_at_once() -> None:
    call = Call()
    assert await call.hears("我想问一下无人及飞行许可怎么申请", 0.81) == phrases.NO_ANSWER_TRANSFER
    assert isinstance(call.action, Transfer)
    assert call.action.reason == "low_confidence"
    assert call.basis.confidence < DIALOG.policy.transfer_below
    summary = call.action.summary
    assert summary.request == "无人及飞行许可怎么申请"
    assert summary.caller == "13800138000"
    assert summary.open_points == ("未答复：无人及飞行许可怎么申请",)


async def test_the_greeting_names_city_and_hotline_and_is_short() -> None:
    greeting = DIALOG.greeting(CallContext("c", ""))
    assert greeting.startswith("您好，临江市一二三四五热线")
    assert len(greeting) < 40


async def test_repeat_says_the_last_reply_again_even_after_it_was_cut_off() -> None:
    call = Call()
    answer = await call.hears("社保卡丢了怎么补办")
    last = call.history[-1]
    call.history[-1] = Message("agent", answer[:4], memory=last.memory)
    assert await call.hears("再说一遍") == answer
    assert await call.hears("没听清") == answer
    assert await Call().hears("再说一遍") == DIALOG.greeting(CallContext("c", ""))


async def test_slower_says_it_again_and_stays_slow() -> None:
    call = Call()
    answer = await call.hears("社保卡丢了怎么补办")
    assert await call.hears("请说慢一点", 0.96) == phrases.SLOWER + answer
    assert call.basis.rate == SLOW_RATE
    await call.hears("暖气不热怎么办")
    assert call.basis.rate == SLOW_RATE


@pytest.mark.parametrize("said", ["转人工", "我要找人工客服", "人公服务"])
async def test_a_person_is_called_the_moment_one_is_asked_for(said: str) -> None:
    call = Call()
    await call.hears("我要投诉人民路十八号饭店油烟很大")
    assert await call.hears(said) == phrases.TO_HUMAN
    assert isinstance(call.action, Transfer)
    assert call.action.reason == "caller_asked"
    assert call.action.summary.request == "饭店油烟很大"
    assert call.action.summary.place == "人民路十八号"
    assert call.action.summary.category == "餐饮油烟"
    assert "工单未提交，缺时间、称呼、联系方式" in call.action.summary.open_points


@pytest.mark.parametrize(
    ("said", "asr", "number"),
    [
        ("赵或了", 0.63, "幺幺九"),
        ("有人晕倒了", 1.0, "幺二零"),
        ("我被抢劫了", 1.0, "幺幺零"),
        ("我不想或了", 0.91, "幺二零"),
    ],
)
async def test_emergencies_get_the_number_and_a_person_even_in_the_middle(
    said: str, asr: float, number: str
) -> None:
    call = Call()
    await call.hears("我要投诉饭店油烟很大")
    assert number in await call.hears(said, asr)
    assert isinstance(call.action, Transfer)
    assert call.action.reason == "emergency"
    assert said in call.action.summary.request


async def test_mumbling_is_asked_once_then_goes_to_a_person() -> None:
    call = Call()
    assert await call.hears("啊八", 0.3) == phrases.REPHRASE
    assert call.action is None
    assert await call.hears("", 0.0) == phrases.NOT_UNDERSTOOD_TRANSFER
    assert isinstance(call.action, Transfer)
    assert call.action.reason == "low_confidence"


async def test_mumbling_at_length_is_not_taken_for_a_question_without_an_answer() -> None:
    call = Call()
    assert await call.hears("啊八那个什么的他们", 0.3) == phrases.REPHRASE
    assert await call.hears("啊八那个什么的他们", 0.3) == phrases.NOT_UNDERSTOOD_TRANSFER
    assert call.basis.decision["why"] == "not_understood"


async def test_being_understood_in_between_forgives_the_first_failure() -> None:
    call = Call()
    assert await call.hears("啊八", 0.3) == phrases.REPHRASE
    assert CARD.answer in await call.hears("社保卡丢了怎么补办")
    assert await call.hears("嗯八", 0.3) == phrases.REPHRASE


async def test_a_wrong_answer_denied_is_a_failure_to_understand() -> None:
    call = Call()
    await call.hears("社保卡丢了怎么补办")
    assert await call.hears("不对") == phrases.REPHRASE
    await call.hears("不是")
    assert isinstance(call.action, Transfer)


async def test_two_passages_alike_are_offered_to_choose_from() -> None:
    call = Call()
    offer = await call.hears("怎么提取公积金")
    assert "租房怎么提取公积金" in offer
    assert "买房怎么提取公积金" in offer
    first_offered = RENT if offer.index("租房") < offer.index("买房") else BUY
    other = BUY if first_offered is RENT else RENT
    assert other.answer in await call.hears("第二个")
    again = Call()
    await again.hears("怎么提取公积金")
    assert RENT.answer in await again.hears("租房提取公积金")
    neither = Call()
    await neither.hears("怎么提取公积金")
    await neither.hears("都不是")
    assert isinstance(neither.action, Transfer)
    assert neither.action.summary.request == "怎么提取公积金"


async def test_a_trouble_that_has_an_answer_is_answered_and_a_work_order_offered() -> None:
    call = Call()
    assert await call.hears("暖气不热怎么办") == HEATING.answer + phrases.OFFER_TICKET
    assert await call.hears("好的") == phrases.INTAKE_NOTED + phrases.INTAKE_PLACE
    declined = Call()
    await declined.hears("暖气不热怎么办")
    assert await declined.hears("不用了") == phrases.ANYTHING_ELSE


async def test_a_trouble_without_an_answer_is_taken_down_though_nobody_said_complaint() -> None:
    assert phrases.INTAKE_PLACE in await Call().hears("楼道里的声控灯全都坏了")


async def test_a_clear_question_during_an_intake_is_answered_and_the_intake_goes_on() -> None:
    call = Call()
    await call.hears("我要投诉饭店油烟很大")
    assert await call.hears("社保卡丢了怎么补办") == CARD.answer + phrases.INTAKE_PLACE
    assert await call.hears("人民路十八号") == phrases.INTAKE_TIME


async def test_an_unclear_answer_is_asked_again_and_an_intake_can_be_dropped() -> None:
    call = Call()
    await call.hears("我要投诉饭店油烟很大")
    assert await call.hears("或的人", 0.35) == phrases.INTAKE_PLACE_AGAIN
    assert await call.hears("算了不投诉了") == phrases.INTAKE_CANCELLED + phrases.ANYTHING_ELSE
    assert await call.hears("没有了") == phrases.GOODBYE


async def test_a_work_order_that_was_not_filed_goes_to_a_person() -> None:
    call = Call(number="")
    for said in ("我要投诉饭店油烟很大", "人民路", "昨天", "我姓王", "可以"):
        await call.hears(said)
    assert phrases.INTAKE_FAILED in await call.hears("对的")
    assert isinstance(call.action, Transfer)
    assert call.action.reason == "failure"
    assert call.action.summary.request == "饭店油烟很大"


async def test_a_reply_thrown_away_unheard_has_changed_nothing() -> None:
    call = Call()
    await call.hears("我要投诉饭店油烟很大")
    before = list(call.history)
    await call.hears("人民路")
    call.history[:] = before
    assert await call.hears("解放路") == phrases.INTAKE_TIME
    await call.hears("昨天")
    await call.hears("匿名")
    assert "解放路" in await call.hears("可以")


async def test_progress_by_caller_and_by_number() -> None:
    call = Call()
    assert await call.hears("我的工单处理得怎么样了") == phrases.ASK_TICKET_NAME
    assert call.basis.expects == "name"
    told = await call.hears("我姓王")
    assert "十一月二十日反映的路灯不亮" in told
    assert "处理中" in told
    stranger = Call(caller="13100000000")
    assert await stranger.hears("查工单进度") == phrases.NO_TICKETS_OF_CALLER
    assert await stranger.hears("二五一一二零零零零零九") == phrases.TICKET_NOT_FOUND
    assert "处理中" in await stranger.hears("二五一一二零零零零零一")


async def test_a_number_missed_twice_goes_to_a_person() -> None:
    call = Call(caller="")
    assert await call.hears("查工单进度") == phrases.ASK_TICKET_NUMBER
    assert await call.hears("我想想") == phrases.ASK_TICKET_NUMBER
    await call.hears("不记得了")
    assert isinstance(call.action, Transfer)


@pytest.mark.parametrize("said", ["你是机器人吗", "你是机器人还是真人", "喂你是谁啊", "你到底是人还是机器"])
async def test_who_asks_what_answers_is_told_the_truth(said: str) -> None:
    call = Call()
    assert await call.hears(said) == phrases.WHO_I_AM
    await call.hears("我要投诉人民路饭店油烟很大")
    asked = call.history[-1].text
    again = await call.hears(said)
    assert again.startswith("我是智能助手")
    assert again.endswith(asked.removeprefix(phrases.INTAKE_NOTED))


async def test_courtesies() -> None:
    call = Call()
    assert await call.hears("喂") == phrases.HELLO_AGAIN
    assert await call.hears("谢谢") == phrases.ANYTHING_ELSE
    assert await call.hears("有") == phrases.GO_AHEAD
    assert await call.hears("再见") == phrases.GOODBYE
    assert isinstance(call.action, EndCall)


@pytest.mark.parametrize(
    ("said", "replies"),
    [
        (["您好"], [phrases.HELLO_AGAIN]),
        (["嗯"], [phrases.GO_AHEAD]),
        (["我要投诉"], [phrases.INTAKE_MATTER]),
        (["我想问一下"], [phrases.GO_AHEAD]),
        (["我要投诉", "我再问一个问题"], [phrases.INTAKE_MATTER, phrases.GO_AHEAD]),
    ],
)
async def test_first_words_that_say_nothing_yet(said: list[str], replies: list[str]) -> None:
    call = Call()
    assert [await call.hears(text) for text in said] == replies


@pytest.mark.parametrize(
    ("said", "replies"),
    [
        (["喂"], [phrases.GO_AHEAD]),
        (["嗯", "还有一个问题"], [phrases.ACKNOWLEDGED, phrases.GO_AHEAD]),
        (["好的", "好的"], [phrases.ACKNOWLEDGED, phrases.ASK_SATISFACTION]),
        (["知道了", "没有了"], [phrases.ACKNOWLEDGED, phrases.ASK_SATISFACTION]),
        (["没有了", "再见"], [phrases.ASK_SATISFACTION, phrases.GOODBYE]),
        (["没有了", "嗯"], [phrases.ASK_SATISFACTION, phrases.GOODBYE]),
        (["再见"], [phrases.GOODBYE]),
        (["谢谢", "有"], [phrases.WELCOME, phrases.GO_AHEAD]),
        (["好的谢谢", "谢谢"], [phrases.WELCOME, phrases.ASK_SATISFACTION]),
        (["有"], [phrases.GO_AHEAD]),
    ],
)
async def test_small_words_after_an_answer(said: list[str], replies: list[str]) -> None:
    call = Call()
    await call.hears("社保卡丢了怎么补办")
    assert [await call.hears(text) for text in said] == replies
    assert isinstance(call.action, EndCall) == (replies[-1] == phrases.GOODBYE)


@pytest.mark.parametrize("said", ["没有了", "不用了谢谢", "好的谢谢"])
async def test_whom_a_seat_hands_back_with_nothing_more_to_ask_is_asked_how_it_was(said: str) -> None:
    call = Call()
    await call.hears("转人工")
    call.history.append(Message("agent", phrases.BACK_AGAIN, memory=call.basis.memory))
    call.handed_back = True
    assert await call.hears(said) == phrases.ASK_SATISFACTION
    assert await call.hears("满意") == phrases.RATED_GOODBYE
    assert call.basis.satisfaction == 3


async def test_a_work_order_is_told_only_to_who_knows_its_name_or_number() -> None:
    call = Call()
    assert await call.hears("我的工单处理得怎么样了") == phrases.ASK_TICKET_NAME
    assert await call.hears("我姓李") == phrases.NAME_NOT_RIGHT
    assert "处理中" in await call.hears("二五一一二零零零零零一")


async def test_why_is_in_the_record_with_its_figures_and_without_a_word_of_the_caller() -> None:
    call = Call()
    await call.hears("社保卡丢了怎么补办", 0.9)
    assert call.basis.decision["kind"] == "answer"
    assert call.basis.decision["why"] == "sure"
    assert call.basis.decision["asr"] == 0.9
    await call.hears("我想问一下无人及飞行许可怎么申请", 0.81)
    assert (call.basis.decision["kind"], call.basis.decision["why"]) == ("transfer", "no_answer")
    assert "无人" not in str(call.basis.decision)


NEARLY = "租房子的那个钱"
ASKED = "请问您是想问，租房怎么提取公积金，对吗？"


async def test_a_nearly_sure_match_is_asked_about_and_answered_on_yes() -> None:
    call = Call()
    assert await call.hears(NEARLY) == ASKED
    assert DIALOG.policy.transfer_below <= call.basis.confidence < DIALOG.policy.answer_from
    assert RENT.answer in await call.hears("对的")
    repeated = Call()
    await repeated.hears(NEARLY)
    assert RENT.answer in await repeated.hears("对就是租房子的那个钱")


async def test_what_is_denied_goes_to_a_person_with_the_question_unless_another_is_asked() -> None:
    call = Call()
    await call.hears(NEARLY)
    assert await call.hears("不是") == phrases.NO_ANSWER_TRANSFER
    assert isinstance(call.action, Transfer)
    assert call.action.summary.request == NEARLY
    other = Call()
    await other.hears(NEARLY)
    assert CARD.answer in await other.hears("不是，我是想问社保卡丢了怎么补办")


async def test_who_plainly_complains_is_not_asked_for_a_number_without_end() -> None:
    call = Call()
    await call.hears("我上次投诉的事处理得怎么样了")
    assert phrases.INTAKE_NOTED in await call.hears("我要投诉，上次反映的路灯到现在没人修")


async def test_nobody_is_asked_twice_in_a_row_what_was_meant() -> None:
    call = Call()
    await call.hears(NEARLY)
    assert await call.hears(NEARLY) == phrases.STATEMENT_TRANSFER


async def test_a_question_for_a_rule_is_not_taken_down_as_a_complaint() -> None:
    assert await Call().hears("夜间施工有什么规定") == phrases.NO_ANSWER_TRANSFER


async def test_what_a_seat_hears_is_short() -> None:
    call = Call()
    await call.hears("你们太差了我打了三次电话都没有人管，" + "我家门口那条路坑坑洼洼下雨全是水" * 3)
    summary = DIALOG.summarize(CallContext("c", "13800138000"), call.history)
    assert summary.mood == "不满"
    assert len(spoken_summary(summary)) <= SPOKEN_CHARS + 1
    assert "13800138000" not in spoken_summary(summary)


async def test_a_caller_who_said_nothing_has_an_empty_summary() -> None:
    summary = DIALOG.summarize(CallContext("c", ""), [])
    assert (summary.caller, summary.request, summary.open_points) == ("", "", ())
    assert spoken_summary(summary) == "来电人需要人工服务。"
    assert mood([]) == "平静"


async def test_a_question_that_goes_on_from_the_last_is_searched_together_with_it() -> None:
    call = Call()
    await call.hears("社保卡丢了怎么补办")
    assert CARD.answer in await call.hears("那要带什么材料")
    assert RENT.answer in await call.hears("那租房怎么提取公积金")
    choice = Call()
    await choice.hears("怎么提取公积金")
    assert BUY.answer in await choice.hears("买房的")
