"""What a caller's words want of a guide itself: begin, go on, go back, wait, stop, or one detail of it."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from dialog.intents import EMERGENCIES, Intent, control_intent, is_farewell, is_question, polarity
from dialog.words import clean, in_words, strip_fillers

Detail: TypeAlias = Literal["fee", "time", "where", "materials", "online", ""]

SHORT_CHARS = 12  # longer sentences are no mere 好了，下一步
DETAIL_CHARS = 16

_ELSEWHERE = EMERGENCIES | {
    Intent.HUMAN,
    Intent.SLOWER,
    Intent.PROGRESS,
    Intent.COMPLAINT,
    Intent.ASK,
}
# Asks to have it, or whether one may.
_MAY = re.compile(
    "(?:怎么|如何|咋|怎样).{0,4}"
    "(?:办|申请|申领|领|补|上|提|取|登记|注册|参保|交|缴|备案|落户|报|弄|搞|做|入)|"
    "(?:能不能|可不可以|可以|能|能否|是否|够)(?:去)?(?:办|申请|申领|领|提|取|落|上|享受|拿|补|吃)|"
    "符合|符不符合|够不够|够条件|够格|资格|什么条件|申请|办理$"
)
_WISH = re.compile(
    "(?<!不)想(?!问|知道|了解|咨询|请问)|(?<![不需只主重必])要(?![是求么紧不])|打算|帮(?:我|忙)|给.{1,8}(?:办|补|领|报|申请)"
)
_ONE_THING = re.compile(
    "多少|收费|要钱|花钱|费用|几天|几个月|多久|多长时间|在哪|哪里|哪儿|哪个|地址|几点|电话|上班|周末|有效期|"
    "带什么|什么材料|哪些材料|什么证件|哪些证件|什么意思|有什么用|区别|什么时候"
)
_ME = re.compile("帮我看|我.{0,12}(?:能不能|可不可以|能|够|符合|有没有资格)")

_NEXT = re.compile(
    "下一步|下一个|下一项|然后呢?$|接着|接下来|继续|往下|还有呢|再呢|后面呢|说吧|讲吧|[你您][说讲]|告诉我|听听|说说"
)
_READY = re.compile(
    "(?:嗯|好的?|行|对|啊|哦|那|我|都|已经|全)*(?:[记写抄][下好住完]|[办弄准备拿带]+好|好|可以|行|知道|明白|完|懂)了[吧啊呀呢]?"
    "(?:[你您]?(?:继续|接着)?(?:说|讲)?吧?)?"
)
_NOT_YET = re.compile("没(?:有)?(?:记|写|好|办|弄|准备)|还没")
_BACK = re.compile("上一步|前一步|前面那步|刚才那一?步|退回去|上一个(?:问题)?|回到上")
_WAIT = re.compile(
    "等一下|等一会|等会|等等|稍等|等我|我记一下|我写一下|记一下|拿(?:个|支|只)?笔|找(?:个|支|只)?笔|慢着|别急|先别说"
)
_STOP = re.compile(
    "不用了|不用说|不用讲|不需要了|不需要|算了|不办了|^够了$|不说了|别说了|不听了|先这样|就这样|不问了|"
    "知道怎么办了|会办了|不想办|不看了|停一下吧|不要了"
)
_SKIP = re.compile("直接说|直接告诉|别问了|不要问了|跳过|先说材料|直接讲")
_TAKES_BACK = re.compile("不对|说错|错了|不是|其实|应该是|记错")
_STEP = re.compile("第([一二三四五六七八九])步")
_NUMBERS = {name: number for number, name in enumerate("一二三四五六七八九", 1)}

_DETAILS: tuple[tuple[Detail, re.Pattern[str]], ...] = (
    ("fee", re.compile("多少钱|收费|要钱|花钱|费用|免费|交钱|要不要钱|工本费")),
    ("time", re.compile("多久|几天|多长时间|什么时候能|几时能|当天能|要等")),
    (
        "materials",
        re.compile("带什么|带哪些|什么材料|哪些材料|材料|什么证件|哪些证件|准备什么|什么手续|带啥"),
    ),
    ("online", re.compile("网上|手机上?|小程序|线上")),
    ("where", re.compile("在哪|去哪|到哪|哪里|哪儿|地址|什么地方|哪个(?:窗口|大厅|派出所|地方)")),
)
# What may stand beside a detail without naming another matter.
_BARE = frozenset(
    "请问那这个它办理要得需是去到可以能不能的了吗呢啊呀吧一共大概都还有我你您给就怎么什么没会拿证领多要办好呗嘛哪些"
)


def wants_to_do(text: str) -> bool:
    """Whether a caller wants a thing done, or to know whether they may have it, not one fact of it."""
    said = strip_fillers(text)
    if _ONE_THING.search(said) and not _ME.search(said):
        return False
    return bool(_MAY.search(said) or (_WISH.search(said) and not said.endswith(("吗", "么", "不"))))


def is_about_else(text: str) -> bool:
    """Whether the words are an order about the call or a matter of their own (投诉, 查工单)."""
    return control_intent(text) in _ELSEWHERE or is_farewell(text)


def repeats(text: str) -> bool:
    """再说一遍, or 喂 from somebody who heard nothing."""
    return control_intent(text) in (Intent.REPEAT, Intent.HELLO)


def goes_on(text: str) -> bool:
    """下一步, 好了, 然后呢."""
    said = clean(text)
    if len(said) > SHORT_CHARS or _NOT_YET.search(said):
        return False
    return bool(_NEXT.search(said) or _READY.fullmatch(said))


def is_not_ready(text: str) -> bool:
    """还没记好, said to what was told."""
    said = clean(text)
    return len(said) <= SHORT_CHARS and bool(_NOT_YET.search(said))


def goes_back(text: str) -> bool:
    """上一步."""
    said = clean(text)
    return len(said) <= DETAIL_CHARS and bool(_BACK.search(said))


def waits(text: str) -> bool:
    """等一下, 我记一下."""
    said = clean(text)
    return len(said) <= SHORT_CHARS and bool(_WAIT.search(said))


def stops(text: str) -> bool:
    """不用了, 算了."""
    said = clean(text)
    return len(said) <= SHORT_CHARS and bool(_STOP.search(said)) and polarity(said) is not True


def skips_questions(text: str) -> bool:
    """别问了，直接告诉我要带什么."""
    said = clean(text)
    return len(said) <= DETAIL_CHARS and bool(_SKIP.search(said))


def takes_back(text: str) -> bool:
    """不对，我说错了."""
    return bool(_TAKES_BACK.search(clean(text)))


def named_step(text: str) -> int:
    """The number of the step that is asked for (第三步是什么), 0 where none is."""
    said = in_words(clean(text))
    found = _STEP.search(said) if len(said) <= SHORT_CHARS else None
    return _NUMBERS[found[1]] if found else 0


def asks_detail(text: str, words: str) -> Detail:
    """Which detail of the service is asked for, "" where none, or of another matter than `words` name."""
    said = strip_fillers(text)
    for detail, asks in _DETAILS:
        if len(said) <= DETAIL_CHARS and is_question(said) and asks.search(said):
            rest = set(asks.sub("", said)) - _BARE
            return detail if rest <= set(words) else ""
    return ""
