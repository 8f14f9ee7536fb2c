"""Orders about the call itself, around fillers, in homophones, and not inside questions."""

from __future__ import annotations

import pytest

from dialog.intents import Intent, control_intent, is_farewell, is_question, polarity

pytestmark = [pytest.mark.unit]

MEANT = [
    (
        Intent.HUMAN,
        "转人工|人工|人公服务|我要找人工客服|你说的这些我听不懂帮我找个人来接|接线员|我不想跟机器说",
    ),
    (Intent.REPEAT, "再说一遍|在说一遍|我没听清|请你再说一次|什么|你刚才说什么"),
    (Intent.SLOWER, "慢一点|请说慢一点|麻烦您说话慢一点我年纪大了|你说得太快了"),
    (
        Intent.GOODBYE,
        "再见|没有了谢谢|不用了谢谢|没了|好的谢谢再见|没有其他问题了谢谢|行那就先这样吧麻烦你了|谢谢",
    ),
    (Intent.YES, "对|对的|是的|嗯|好的|对对对|没错|可以的|正确"),
    (Intent.NO, "不对|不是|错了|不|不是的"),
    (
        Intent.PROGRESS,
        "我的工单处理得怎么样了|我要查一下我的工单办到哪一步|昨天投诉的那件事有人处理了吗|查进度",
    ),
    (
        Intent.COMPLAINT,
        "我要投诉楼下的饭店|喂听得见吗我要反映燃气的问题|投诉|麻烦你给我登记一下我要反映一个问题|我想举报",
    ),
    (Intent.HELLO, "喂|喂你好|在吗|有人吗"),
    (Intent.FIRE, "着火了|赵或了|家里着火了怎么办|我家厨房起火了快来人"),
    (Intent.MEDICAL, "有人晕倒了|我爸昏倒了|急救|快叫救护车"),
    (Intent.POLICE, "有人打我|我被抢劫了|报警"),
    (Intent.GAS_LEAK, "家里煤气泄漏了|燃气漏了"),
    (Intent.SUICIDE, "我不想活了|我不想或了|有人要跳楼|有人要条楼"),
]
NOT_MEANT = """消防许可怎么办
医保卡不用了怎么注销
我家燃气灶打不着火是不是停气了
不用转人工了我自己去问
医院有人工耳蜗补贴吗
没有社保可以办吗
我没有了工作怎么办
急救证怎么考培训在哪里
火灾保险怎么理赔
去年着火了现在房子怎么办
怎么投诉出租车
投诉电话是多少
能不能找个人来修路灯
他们把棚子搭起来了
被打伤了医保能报销吗
请问社保卡丢了怎么补办
不是人民路是人民东路
对面的工地早上六点就开始敲敲打打
好久没来水了""".splitlines()


@pytest.mark.parametrize(("intent", "said"), [(i, s) for i, all_said in MEANT for s in all_said.split("|")])
def test_orders_are_understood(intent: Intent, said: str) -> None:
    assert control_intent(said) is intent


@pytest.mark.parametrize("said", NOT_MEANT)
def test_matters_are_not_taken_for_orders(said: str) -> None:
    assert control_intent(said) is None


def test_nothing_means_nothing() -> None:
    assert control_intent("") is None
    assert control_intent("。？") is None
    assert polarity("") is None


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("对就这样", True),
        ("嗯好的", True),
        ("好的谢谢", True),
        ("不对", False),
        ("不用了", False),
        ("没有", False),
        ("谢谢", None),
        ("不是人民路是人民东路", None),
        ("四", None),
    ],
)
def test_yes_and_no(said: str, answer: bool | None) -> None:
    assert polarity(said) is answer


def test_only_a_farewell_ends_a_call_whatever_was_asked() -> None:
    assert is_farewell("好的再见")
    assert not is_farewell("谢谢")
    assert not is_farewell("没有再见到他")


def test_questions_show_by_their_words() -> None:
    assert is_question("居住证怎么办")
    assert not is_question("路灯坏了")
