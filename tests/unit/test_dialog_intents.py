"""Orders about the call itself, around fillers, in homophones, and not inside questions."""

from __future__ import annotations

import pytest

from dialog.intents import (
    Intent,
    control_intent,
    is_backchannel,
    is_farewell,
    is_presence_check,
    is_question,
    may_become_backchannel,
    polarity,
)

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


PRESENCE = (
    "喂|喂？|喂喂|喂喂喂|喂你好|喂，您好|你好|您好啊|喂喂你好|在吗|你在吗|您还在吗|还在吗|在不在|你在听吗|喂在吗|我在吗|"
    "听得到吗|听得见吗|听的见吗|听得见听不见|听不听得见|能听到吗|能听见我说话吗|喂能听到我的声音吗|能不能听到|听到了吗|"
    "听见没有|我的声音能听到吗|有人吗|有没有人|喂有人在吗|没人吗|人呢|人在吗|怎么没声音|怎么没声音了|喂怎么没有声音啊|"
    "没声音了|为什么没声音|怎么没人说话|怎么听不到了|听不到声音|怎么不说话了|怎么不说话|你怎么不说了|说话呀|哎你好在吗|"
    "请问在吗|电话断了吗|是不是断线了|为|hello"
)
NO_PRESENCE = (
    "喂我想问社保|喂你好我想问一下|你好社保卡怎么办|你好请问|在|我在|在的|在哪里|在人民路|人民路有没有人管|有人吗救命|"
    "有人吗快来救火|怎么没人管|怎么没水了|没听到|没听清|听不清|听不见|听得到|听得懂吗|能办吗|还在办吗|在吗我的工单|"
    "断了|为了孩子上学|位置|嗯|好的|没有|说话慢一点|声音太大了|楼上声音太大能不能管|请问|电话断了怎么办|"
)


@pytest.mark.parametrize("said", PRESENCE.split("|"))
def test_whether_anybody_is_there_is_asked_in_many_ways(said: str) -> None:
    assert is_presence_check(said)
    assert control_intent(said) is Intent.HELLO
    assert not is_backchannel(said)


@pytest.mark.parametrize("said", NO_PRESENCE.split("|"))
def test_more_or_other_words_ask_something_else(said: str) -> None:
    assert not is_presence_check(said)


MURMURS = (
    "嗯|嗯嗯|嗯，嗯。|恩|额|呃|哎|诶|噢|喔|哦|啊|对|对对|对对对|好|好的|好好好|好的好的|是|是的|是是是|行|行行行|明白|"
    "明白了|名白了|知道了|之道了|晓得了|没错|没错没错|可以|没问题|清楚了|懂了|哦好的|嗯好的|嗯对|哦是这样啊|哦这样啊|"
    "原来是这样|好嘞|好吧|是啊是啊|对的对的|嗯嗯知道了|我知道了|OK|后|后的|姓"
)
NO_MURMURS = (
    "不对|不是|不|没|没有|没有了|好了|好了停|好了好了|停|等一下|等等|是吗|是不是|对吗|对吧|好吗|行了|对了|对了我还想问|"
    "可以了|可以吗|可是|是的但是|好的谢谢|好的再见|谢谢|再见|转人工|什么|嗯我想问|嗯那个|知道吗|不知道|对不起|好久|姓王|后天|"
    "是谁|行李|喂|你好|要|我|东|"
)
BEGUN = "好|嗯|明|知|知道|我知道|嗯明|好的知道|清|懂|可|原来|好的|对对|知道了|了解"
NOT_BEGUN = "没|不|我|等|停|是不|好了|对了|行了|知道你|明天|可是|我想|嗯我|转|喂|这|听|"


@pytest.mark.parametrize("said", MURMURS.split("|"))
def test_a_listener_murmurs(said: str) -> None:
    assert is_backchannel(said)
    assert may_become_backchannel(said)


@pytest.mark.parametrize("said", NO_MURMURS.split("|"))
def test_what_is_no_murmur_is_meant_for_the_agent(said: str) -> None:
    assert not is_backchannel(said)


@pytest.mark.parametrize("partial", BEGUN.split("|"))
def test_a_murmur_may_have_begun(partial: str) -> None:
    assert may_become_backchannel(partial)


@pytest.mark.parametrize("partial", NOT_BEGUN.split("|"))
def test_no_murmur_can_come_of_it(partial: str) -> None:
    assert not may_become_backchannel(partial)


def test_a_fire_that_might_be_and_words_not_heard_long_ago_are_no_orders() -> None:
    assert control_intent("过道里纸壳子堆到房顶，万一着火了往哪跑") is None
    assert control_intent("楼上着火了快来人") is Intent.FIRE
    long = "我耳朵背司机说啥我没听见他就冲我嚷，说老不死的耳朵聋了就别坐车，一车人看着我"
    assert control_intent(long) is None
    assert control_intent("不好意思刚才没听见") is Intent.REPEAT
