"""What a caller wants of the call itself, whatever else is going on: a person, a repetition, an end.

These must work every time, so they need no search and no model: a phrase matches by its characters or by its
sound, with fillers around it. They must not fire inside a question (消防许可怎么办 is no fire): a `WHOLE`
phrase must be all that was said, an `INSIDE` phrase may stand in a longer sentence, and yes, no and goodbye
are sentences made of nothing but such words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from dialog.words import clean, sounds, spelled, strip_fillers


class Intent(Enum):
    """What a caller wants of the call itself."""

    FIRE = "fire"
    MEDICAL = "medical"
    POLICE = "police"
    GAS_LEAK = "gas_leak"
    SUICIDE = "suicide"
    HUMAN = "human"
    REPEAT = "repeat"
    SLOWER = "slower"
    GOODBYE = "goodbye"
    YES = "yes"
    NO = "no"
    PROGRESS = "progress"
    COMPLAINT = "complaint"
    HELLO = "hello"
    ASK = "ask"
    WHO = "who"


EMERGENCIES = frozenset({Intent.FIRE, Intent.MEDICAL, Intent.POLICE, Intent.GAS_LEAK, Intent.SUICIDE})
_REMEMBERED = 512  # texts: a turn asks of one text several times, and of the caller's earlier ones
SHORT_CHARS = 8  # up to this length a phrase of three syllables may match by sound alone

# Checked in this order; the first that matches is meant.
_INSIDE = (
    (Intent.SUICIDE, "不想活了 不想活 活不下去 轻生 想自杀 要自杀 有人自杀 想死了 死了算了"),
    (Intent.SUICIDE, "要跳楼 想跳楼 跳楼了 要跳河 想跳河 割腕"),
    (Intent.GAS_LEAK, "燃气泄漏 煤气泄漏 天然气泄漏 燃气漏了 煤气漏了 天然气漏了 漏煤气 煤气中毒"),
    (Intent.GAS_LEAK, "闻到煤气味 闻到燃气味 闻到天然气"),
    (Intent.FIRE, "着火了 起火了 失火了 着大火 着火啦 发生火灾 房子烧起来 烧起来了"),
    (Intent.MEDICAL, "晕倒 昏倒 昏过去 昏迷了 没有呼吸 没呼吸 不省人事 心脏病发作 心梗发作"),
    (Intent.MEDICAL, "叫救护车 要救护车 流血不止 大出血 快死了 喘不上气 被车撞了 需要急救 心跳停了"),
    (Intent.POLICE, "杀人了 有人杀人 要杀人 抢劫了 被抢劫 有人抢劫 正在抢劫 持刀 拿刀砍 拿着刀"),
    (Intent.POLICE, "被绑架 有人打我 被人打了 有人打架 打群架 被人跟踪 入室盗窃 有小偷进"),
    (Intent.HUMAN, "转人工 转到人工 人工服务 人工客服 人工坐席 接人工 找人工 要人工 找个人 换个人"),
    (Intent.HUMAN, "接线员 转接坐席 转坐席 找真人 真人服务 跟人说 叫个人 找你们领导 换人来接"),
    (Intent.HUMAN, "不想跟机器 不跟机器 不要机器人"),
    (Intent.REPEAT, "再说一遍 再讲一遍 再说一次 重复一遍 重复一下 没听清 没听见 没听到 没听明白"),
    (Intent.REPEAT, "听不清 没有听清 没有听见"),
    (Intent.SLOWER, "说慢一点 说慢点 讲慢一点 讲慢点 慢一点说 慢点说 说话慢 讲话慢 说得太快 说太快"),
    (Intent.SLOWER, "语速慢 语速太快 讲太快 讲得太快"),
    (Intent.PROGRESS, "工单进度 工单处理 工单办 工单到哪 查工单 查一下工单 我的工单 查询工单"),
    (Intent.PROGRESS, "工单编号 工单号 处理得怎么样了 投诉有没有结果 我投诉的事"),
    (Intent.PROGRESS, "上次投诉的 上次反映的 投诉的那件事 反映的那件事 投诉的事情到现在 反映的问题到现在"),
    (Intent.COMPLAINT, "要投诉 想投诉 投诉一下 要反映 想反映 反映一下 反映个 反映一个 要举报 想举报"),
    (Intent.COMPLAINT, "举报一下 要报修 想报修 报修一下 登记一个问题 帮我登记 提个建议 我要求助"),
)
_WHOLE = (
    (Intent.FIRE, "着火 失火 起火 火警 救火 火灾 报火警"),
    (Intent.MEDICAL, "急救 救命 救护车"),
    (Intent.POLICE, "报警 我要报警 杀人 抢劫"),
    (Intent.SUICIDE, "自杀 想死 我想死 跳楼"),
    (Intent.HUMAN, "人工 人工吧 真人 坐席 转接 客服 找人 换人 我要人工"),
    (Intent.REPEAT, "什么 啥 再说 再来一遍 什么意思 重复 你说什么 刚才说什么 你刚才说什么"),
    (Intent.SLOWER, "慢一点 慢点 慢些 太快了 请慢一点 再慢一点"),
    (Intent.COMPLAINT, "投诉 举报 报修 反映 反映问题 投诉举报 我有个问题要反映 求助"),
    (Intent.PROGRESS, "工单 查进度 查询进度 进度 工单查询 进度查询"),
)
# Sentences made of nothing but these are a yes, a no, an end, or say that a question will come.
_PARTS: tuple[tuple[Intent | None, str], ...] = (
    (Intent.YES, "对 是 嗯 好 行 要 有 可以 没错 正确 确认 没问题 都对 全对 是的 对的 好的 有的 要的 可以的"),
    (Intent.YES, "是这样 是这样的 没有错 登记吧 需要 还有 知道了 明白了 清楚了 就这么登记 就这样登记"),
    (
        Intent.NO,
        "不 不对 不是 不是的 错了 不正确 不行 不可以 不好 不要 有错 说错了 记错了 写错了 弄错了 错的",
    ),
    (Intent.GOODBYE, "再见 拜拜 没有了 没了 没有 没别的了 没有别的了 没有其他的了 没有其他问题了 没事了"),
    (
        Intent.GOODBYE,
        "没有问题了 没问题了 不用了 不用 不需要了 不需要 挂了 这样 先这样 就这样 就先这样 没啥了",
    ),
    (Intent.GOODBYE, "没什么了 暂时没有 谢谢 多谢 感谢 谢谢你的帮助 麻烦你了 麻烦您了"),
    (Intent.ASK, "问题 想问 要问 问个 问你 问您 问一下 咨询 请教 打听 有个事 有件事"),
    (None, "那 了 吧 啊 呀 我 呢 哦 就 你 您 都 的 还 再 想 另外 请问 一下 一个 个 一件 件 事 事情 问"),
)
_DECLINES = ("没有了", "没了", "没有", "不用了", "不用", "不需要了", "不需要")

_THANKS = ("谢谢", "多谢", "感谢", "谢谢你的帮助", "麻烦你了", "麻烦您了")
_FAREWELLS = ("再见", "拜拜", "挂了")

# A sentence with one of these asks about rules, happened long ago or is denied: no emergency, no order.
_DENIED = {intent: re.compile(
    "打不着|点不着|许可|办理|手续|补贴|理赔|赔偿|保险|医保|报销|培训|考证|证书|条例|规定|标准|备案|验收|检查|"
    "演练|隐患|去年|上个月|上周|以前|之前|曾经|没有着火|没着火|避免|防止|预防|怎么申请|告诫书|灭火器|怎么查|"
    "案子|立案"
) for intent in EMERGENCIES} | {
    Intent.HUMAN: re.compile(
        "接线员.{0,6}(?:姓|陪|态度|说|讲|告诉|帮|骂|挂)|(?:谢谢|感谢|表扬|投诉|举报).{0,8}接线员|一个接线员|"
        "人工(智能|湖|费|流产|授精|耳蜗|关节|晶体|增雨)|(不用|不要|不|别)转人工|人来?(修|维修|看看|处理|清理)"
    ),
    # My ears are bad, what the driver said 没听见 …: so long a sentence is about a matter.
    Intent.REPEAT: re.compile(".{30}"),
    Intent.COMPLAINT: re.compile("(不想|不要|不|怎么|哪里|去哪|哪)投诉|投诉(电话|到哪)|怎么举报|举报电话"),
}  # fmt: skip
_MIGHT = re.compile(
    "(?:万一|要是|要真|真要|如果|一旦|怕(?!是)|担心|假如|哪天|迟早|上次|上回|那次|那回|前年|前几天)[^，]{0,8}?"
    "(?:着火|起火|失火|着大火|烧起来|发生火灾)"
)
_RINGS = re.compile("打我(?!一|了|的脸|的头)[^，]{0,6}(?:电话|手机|座机|热线)")  # 有人打我单位电话
_QUESTION = re.compile("怎么|如何|吗$|什么|哪|多少|多久|几|能不能|可不可以|要不要|是不是|有没有|咋")

# Whether anybody is there; 听不清 and 没听见 are not among them, they ask for a repetition.
_YOU = "(?:你们?|您|那边|对面|我)?"  # 喂在吗 is often recognised as 我在吗
_LISTEN = "听[得的]?[到见清]楚?了?"
_PRESENCE = (
    "喂|[位味为未]$|哈喽|你好|您好|你们好|hello",
    f"{_YOU}(?:还|都)?在(?:线上?|听)?(?:吗|嘛|么|不在|没在)",
    f"{_YOU}还?(?:能|可以)?{_LISTEN}我?(?:的?声音|的话|说话|讲话)?(?:吗|嘛|么|不|没有?)",
    f"{_YOU}能不能{_LISTEN}我?(?:的?声音|的话|说话|讲话)?|{_YOU}听(?:不听得[到见]|得[到见]听不[到见])",
    f"(?:我的?)?(?:声音|说话|讲话)[你您]?(?:能|可以)?{_LISTEN}(?:吗|嘛|么|不)",
    "有没有人(?:在|在听|接|接听|说话|回答|理我)?|[有没]人(?:在|在听|接|接听|说话|回答|理我)?(?:吗|嘛|么)",
    "人呢|人(?:还)?在(?:吗|哪[里儿]?)|人去哪[里儿]?了",
    "(?:怎么|为什么|为啥|咋)[又都还]?(?:一直)?(?:没有?|听不[到见])[你您]?的?(?:声音?|人|人说话|反应|动静)了?",
    "(?:怎么|为什么|为啥|咋)[又都还]?听不[到见]了?|(?:听不[到见]|没有?)[你您]?的?(?:声音|动静)了?",
    f"{_YOU}(?:怎么|为什么|为啥|咋){_YOU}[又还都]?(?:不|没)(?:说话|讲话|说|讲|出声|吭声|回答|理我)了?|{_YOU}说话",
    "是不是(?:电话)?(?:断|断线|掉线)了吗?|(?:电话)?(?:断|断线|掉线)了吗",
)
_PRESENT = re.compile(f"(?:(?:哎|诶|嗯|那个|请问)*(?:{'|'.join(_PRESENCE)})[啊呀呢嘛么哦啦]*)+")
# Whether it is a person who answers; a wish for one stands in the tables above.
_WHO = re.compile(
    "(?:那|哎|喂|请问|我想问一下)?(?:你们?|您|这|这边|对面|电话那头)(?:到底)?是?(?:不是)?(?:一个|个)?"
    "(?:机器人?|电脑|人工智能|智能助手|录音|语音助手|真人|活人|人|哪里|哪位|谁|什么)"
    "(?:还是(?:真人|人工|活人|人|机器人?|电脑|录音))?(?:在?(?:说话|讲话|回答|接电话))?(?:吗|吧|啊|呀|呢|的)*"
)
_HELLOS = ("喂喂 喂你好 喂您好 在吗 你在吗 还在吗 在不在 有人吗 听得见吗 听得到吗 能听到吗 能听见吗",)

# What a listener murmurs. Of 好了, 行了, 对了 and 可以了 nothing: they stop the speaker or begin a turn.
_MURMURS = (
    "嗯 恩 唔 啊 阿 哦 噢 喔 呃 额 哎 诶 欸 唉 哈 嘿 哼 对 是 好 行",
    "对的 是的 好的 行的 好嘞 好咧 好勒 好吧 行吧",
    "对啊 对呀 是啊 是呀 好啊 好呀 行啊 没错 没错啊 可以 可以的 没问题 明白 明白了 知道 知道了 晓得 晓得了",
    "清楚 清楚了 了解 了解了 懂了 听懂了 听明白了 收到 我知道 我知道了 我明白 我明白了 我懂了 我了解了",
    "这样啊 这样子啊 是这样啊 原来这样 原来是这样 原来如此 ok",
    "后 后的 姓",  # as recognisers write 好, 好的, 行
)
_BEGUN = ("明 知 晓 清 懂 可 原 原来 原来是",)  # 没 begins other things far more often than 没错


def _words(rows: Sequence[str]) -> frozenset[str]:
    return frozenset(" ".join(rows).split())


def _compile(table: tuple[tuple[Intent, str], ...]) -> list[tuple[Intent, str, str]]:
    return [(intent, phrase, spelled(phrase)) for intent, phrases in table for phrase in phrases.split()]


_INSIDE_SOUNDS = _compile(_INSIDE)
_WHOLE_SOUNDS = _compile(_WHOLE)
_PART_SOUNDS = sorted(
    ((part, sounds(part), intent) for intent, parts in _PARTS for part in parts.split()),
    key=lambda entry: -len(entry[0]),
)
_HELLO_SOUNDS = {spelled(hello) for hello in _words(_HELLOS)}
_MURMUR_WORDS, _BEGUN_WORDS = _words(_MURMURS), _words(_BEGUN)
_MURMUR_SOUNDS = {sounds(murmur) for murmur in _MURMUR_WORDS if len(murmur) > 1}
_LONGEST_MURMUR = max(map(len, _MURMUR_WORDS))


@lru_cache(maxsize=_REMEMBERED)
def control_intent(text: str) -> Intent | None:
    """What `text` wants of the call itself, or None where it is about a matter."""
    whole = clean(text)
    if not whole:
        return None
    if is_presence_check(whole):
        return Intent.HELLO
    if _WHO.fullmatch(whole):
        return Intent.WHO
    core = strip_fillers(whole)
    heard, heard_core = spelled(whole), spelled(core)
    for intent, phrase, sound in _WHOLE_SOUNDS:
        if phrase in (whole, core) or (len(phrase) > 1 and sound in (heard, heard_core)):
            return intent
    kinds = [intent for _, intent in _parts(whole) if intent]
    for intent in (Intent.NO, Intent.GOODBYE, Intent.ASK, Intent.YES):
        if intent in kinds:
            return intent
    for intent, phrase, sound in _INSIDE_SOUNDS:
        # Three syllables alone say little in a long sentence (搭起来了 is no 打起来了).
        telling = len(phrase) >= 4 or (len(phrase) == 3 and len(whole) <= SHORT_CHARS)
        if (phrase in whole or (telling and sound in heard)) and not _denied(intent, whole):
            return intent
    return None


def polarity(text: str) -> bool | None:
    """Whether `text` is a yes or a no to what was just asked; None where it is neither or says more.

    没有 and 不用了 are a no here, though they are a goodbye after 还有什么可以帮您.
    """
    parts = _parts(clean(text))
    if any(intent is Intent.ASK for _, intent in parts):
        return None
    for part, intent in parts:
        if intent is Intent.YES:
            return True
        if intent is Intent.NO or part in _DECLINES:
            return False
    return None


def is_farewell(text: str) -> bool:
    """Whether `text` ends the call whatever was asked before; 谢谢 or 没有 depend on the question."""
    return any(part in _FAREWELLS for part, _ in _parts(clean(text)))


def is_thanks(text: str) -> bool:
    """Whether `text` thanks and says nothing else; the next words tell whether that ends the call."""
    ends = [part for part, intent in _parts(clean(text)) if intent in (Intent.GOODBYE, Intent.NO)]
    return bool(ends) and all(part in _THANKS for part in ends)


def is_question(text: str) -> bool:
    """Whether `text` asks something, as far as its words show."""
    return bool(_QUESTION.search(clean(text)))


@lru_cache(maxsize=_REMEMBERED)
def is_presence_check(text: str) -> bool:
    """Whether `text` asks only if anybody is there (喂？在吗？听得到吗？你好？), and nothing else."""
    whole = clean(text)
    return bool(_PRESENT.fullmatch(whole)) or spelled(whole) in _HELLO_SOUNDS


def is_backchannel(text: str) -> bool:
    """Whether `text`, said while the agent speaks, is a listener's murmur: 嗯, 好的, 是啊."""
    whole = clean(text)
    return len(whole) in _murmured(whole) - {0}


def may_become_backchannel(partial: str) -> bool:
    """Whether the turn that begins with `partial` may yet turn out to be a murmur, as 好, 明 and 知道 may.

    True for a murmur as well: it may go on as one. False where nothing has been recognised.
    """
    whole = clean(partial)
    return bool(whole) and any(end == len(whole) or whole[end:] in _BEGUN_WORDS for end in _murmured(whole))


@lru_cache(maxsize=_REMEMBERED)
def _murmured(text: str) -> frozenset[int]:
    """Up to which characters `text` is nothing but murmurs; 0 is always one of them."""
    heard = sounds(text)
    ends = {0}
    for begin in range(len(text)):
        for end in range(begin + 1, begin + _LONGEST_MURMUR + 1) if begin in ends else ():
            if text[begin:end] in _MURMUR_WORDS or heard[begin:end] in _MURMUR_SOUNDS:
                ends.add(min(end, len(text)))
    return frozenset(ends)


@lru_cache(maxsize=_REMEMBERED)
def _parts(text: str) -> Sequence[tuple[str, Intent | None]]:
    """`text` cut into yes, no, goodbye and empty words; nothing where there is any other word in it."""
    heard = sounds(text)
    parts: list[tuple[str, Intent | None]] = []
    at = 0
    while at < len(text):
        for part, sound, intent in _PART_SOUNDS:
            end = at + len(part)
            if text[at:end] == part or (len(part) > 1 and heard[at:end] == sound):
                parts.append((part, intent))
                at = end
                break
        else:
            return ()
    return tuple(parts)


def _denied(intent: Intent, text: str) -> bool:
    denial = _DENIED.get(intent)
    if intent is Intent.POLICE and _RINGS.search(text):
        return True
    if intent is Intent.FIRE and _MIGHT.search(text):
        return True
    return bool(denial and denial.search(text))
