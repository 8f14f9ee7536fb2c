"""Whether the words heard so far may be all that the caller wants to say.

Numbers being spelled out have lengths, and some last words never end a sentence: that is written down here.
Everything else is judged by three small recurrent networks that have read, character by character, what
people say to hotlines and machines (`bench/endpointing_training.py`): 社保卡丢了怎么补办 is whole, 社保卡
hardly so.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from dialog import Expects
from dialog.intents import EMERGENCIES, Intent, control_intent, polarity

MODEL = Path(__file__).with_name("completeness.npz")
UNKNOWN, BEGIN = "\0", "\1"
CERTAIN = 6.0  # the largest log-odds
SURE, LIKELY = 3.0, 1.75

_MOST_CHARACTERS = 32  # are read, from the end
_ASKED_FOR = 2.5  # what was asked for may be all: a name, 昨天
_ANSWERED = 2.0  # a few words after a question for yes or no
_AFTER_LATIN = 0.8  # at most: nobody knows how long the word will be, and what it is
_DENIED = 1.7  # 不是 may be all, or be corrected: 不是，是三栋
_QUESTION = 1.5  # who has asked what they want to know has said most of it; fitted to sentences of both kinds
_HOW_TO = 1.5  # nor much after 怎么装电动汽车充电桩; chosen with the sample knowledge in view
_TO_ITS_END = 1.5  # and nothing is left to say after 去哪里
_SHORT, _ANSWER = 8, 12  # characters; longer texts are about a matter
_SPELLED = "零一二三四五六七八九"
_SAME = str.maketrans("0123456789〇幺○", "零一二三四五六七八九零一零")
_NO_WORDS = re.compile("[^0-9A-Za-z一-鿿〇○]+")
_LATIN = re.compile("[A-Za-z]+")
_NUMBER = re.compile(f"[{_SPELLED}]+$")
_DOOR = re.compile("[栋幢座楼元室号路单]$")  # before the digits of a room, a house, a bus
_SHORT_NUMBERS = re.compile(
    "一[一二][零九二]|一二三四五|一二三.{2}|九[568].{3}|一零.{3}"
)  # of emergencies and services

_DENIES = re.compile("(?:等一下|等等|等下)?(?:不是|不对|错了|不是的|不对的)+")
# What was offered is taken: 就用这个号码, 打我现在这个电话就行
_TAKES = re.compile(
    "(?:对|好|嗯|可以|行)?(?:那?就|还是|还)?(?:请?(?:用|打|按|留|发|记|是|要))?我?(?:现在|刚才|原来|来电|打过?来)?(?:的|用的|说的)?"
    "(?:这个|那个|这|那)(?:手机|电话|座机)?(?:号码?|电话|手机|地址|名字|时间|地方)?(?:联系)?(?:吧|了|的|就行|就行了|就可以|就可以了|就好|可以|没错)?"
)
_FILLERS_ONLY = re.compile("(?:嗯|呃|额|唔|啊|哦)+")
# 出差时的费用能报不, 炭火可以不, 犯法不: but not 我不, 也不, 要不
_OR_NOT = (
    "(?:[能会有要让给算行收得够].{1,16}(?<![能会要是可有好行都也还就得])[不没]|"
    "[一-鿿](?<![我你您他她它们都也还就又才再从并毫绝要是能会可既])不|(?:机会|说法|名额|[够好完到])没)$"
)
_ASKED_LAST_WHERE = "(?:[去到在上打找归](?:哪里?|哪儿|哪个|哪一个|谁)|要啥|带啥|[要带需]些?啥|让不让)"
_ASKS = re.compile(
    r"怎么|怎样|如何|咋|什么|啥|多少|多[久大长快远高]|几[个号点岁月天年毛块楼次趟]|星期几|让不让|(.)不\1|哪|谁|吗|能不能|可不可以|有没有|是不是|要不要|会不会|行不行|"
    f"{_OR_NOT}"
)
_ASKED_LAST = re.compile(
    rf"(?:([^是])不\1|几[毛块号天年]|{_ASKED_LAST_WHERE}|哪里有|几点|几天|几年|多少|多久|要什么|找谁|吗|呢|怎么办|怎么办理|怎么回事|的?(?:地址|条件|标准|材料|要求|时间)|咋[办弄整])$|"
    f"{_OR_NOT}"
)
_HOW_TO_DO_IT = re.compile("(?:怎么|怎样|如何|咋).{3,}(?<![的了把给到和跟在])$")
_DANGLING = (
    "嗯|呃|额|唔|那个|这个|那什么|怎么说呢|怎么说|"
    "我?想(?:问|咨询|请教|打听|反映|投诉|查询?|了解)(?:一下|下|个)?|请问(?:一下)?|(?:问|咨询|反映)(?:一下|下)|"
    "^(?:我想|我要|我想要|我就想|我是想|帮我|麻烦[你您]|能不能|可不可以|[我你他]们?的)|"
    "就是说?|因为|由于|所以|但是|可是|不过|而且|并且|然后|还有|如果|要是|假如|虽然|尽管|或者|以及|关于|对于|按照|根据|"
    "通过|为了|除了|比如说?|例如|包括|第|(?<![一二三四五六七八九十百半几斤])两|"
    "(?:还是|就|请)[打用]我|已经|正在|曾经|非常|特别|一直|总是|经常|往往|渐渐|稍微|刚刚|究竟|到底|居然|竟然|必须|从来|稳稳|好好|紧紧|牢牢|"
    "(?<![自现存实所内潜好人都还不])在|(?<![供])给|(?<![方转倾意走流])向|(?<![交往以来])往|"
    "(?<![温饱暖缓共祥总])和|(?<![参给])与|跟|从|(?<![一几])把|被|或|应该是|(?<=不是|不对|错了)我?的?是"
)
_DANGLING_END = re.compile(f"(?:{_DANGLING})$")
_NOT_DANGLING = re.compile(
    "(?:怎么|如何|能|可以|去?哪里?|不|没|谁)(?:去|来)?(?:问|咨询|反映|投诉|查询?|了解)(?:一下|下)?$"
)
_WANTS = {
    Intent.HUMAN: SURE,
    Intent.REPEAT: SURE,
    Intent.SLOWER: SURE,
    Intent.GOODBYE: SURE,
    Intent.YES: LIKELY,
    Intent.NO: LIKELY,
    Intent.HELLO: LIKELY,
    Intent.ASK: -CERTAIN,
} | dict.fromkeys(EMERGENCIES, SURE)

Array: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[Any]]"


def normalised(partial: str) -> str:
    """The spoken characters of a transcript, digits as characters, a Latin word as one unknown character."""
    return _LATIN.sub(UNKNOWN, _NO_WORDS.sub("", partial).translate(_SAME))


def log_odds(text: str, *, expects: Expects = "anything", digits: int = 0) -> float:
    """The logarithm of the odds that `text`, normalised and not empty, is a whole turn: ±CERTAIN at most.

    `expects` is what the agent's last words asked for, `digits` how many digits of a number (0: not known).
    """
    answer = _answer_log_odds(text) if expects == "yes_no" else None
    if answer is not None:
        return answer
    if _FILLERS_ONLY.fullmatch(text):
        return 0.0
    number = _spelled(text, expects)
    if number:
        return _number_log_odds(number, expects, digits)
    if _DANGLING_END.search(text) and not _NOT_DANGLING.search(text):
        return -CERTAIN
    if text.startswith("等") and _DENIES.fullmatch(text):  # 等一下不对, into what the agent says
        return _DENIED
    wish = control_intent(text) if len(text) <= _SHORT else None
    if wish in _WANTS:
        return _WANTS[wish]
    if set(text) == {UNKNOWN}:
        return 0.0
    odds = model().log_odds(text)
    odds += _ASKED_FOR if expects in ("place", "name", "time") else 0.0
    odds += _ANSWERED if expects == "yes_no" and len(text) <= _ANSWER else 0.0
    odds += (_QUESTION if _ASKS.search(text) else 0.0) + (_TO_ITS_END if _ASKED_LAST.search(text) else 0.0)
    odds += _HOW_TO if _HOW_TO_DO_IT.search(text) and not _ASKED_LAST.search(text) else 0.0
    return max(-CERTAIN, min(_AFTER_LATIN if text[-1] == UNKNOWN else CERTAIN, odds))


# What a caller thought of the call.
_OPINION = re.compile(
    "(?:我?(?:很|非常|比较|挺|还算?|不太?)?(?:满意|不错|好|一般|可以|行)|按?[一二三])(?:了|吧|啊|的)?"
)


def _answer_log_odds(text: str) -> float | None:
    """After a question for yes or no; None for what is neither of them."""
    if _FILLERS_ONLY.fullmatch(text):
        return CERTAIN
    if _DENIES.fullmatch(text):
        return _DENIED
    if _OPINION.fullmatch(text):
        return SURE
    if _TAKES.fullmatch(text) and not text.endswith(("用这", "打这", "按这", "用那", "打那")):
        return SURE
    return CERTAIN if polarity(text) is not None and not _DANGLING_END.search(text) else None


def _spelled(text: str, expects: Expects) -> str:
    """The number that is being spelled out at the end of `text`, "" where none is."""
    match = _NUMBER.search(text)
    if match is None:
        return ""
    number, before = match[0], text[: match.start()]
    if expects == "digits" or len(number) >= 5 or (number == text and len(text) >= 3):
        return number
    return number if len(number) == 4 and not _DOOR.search(before) else ""


def _number_log_odds(number: str, expects: Expects, digits: int) -> float:
    """By the lengths that numbers have: 11 digits of a mobile telephone, 7 or 8 of others, 18 of a card."""
    count = len(number)
    if expects == "digits" and digits:
        return CERTAIN if count >= digits else -CERTAIN
    if _SHORT_NUMBERS.fullmatch(number):
        return 0.0
    if number[0] == "一" and number[1:2] not in tuple("零一二") and count <= 11:  # of a mobile telephone
        return CERTAIN if count == 11 else -CERTAIN
    if number[0] == "一" and count <= 11:  # of what, nobody knows
        return {8: 0.0, 11: CERTAIN}.get(count, -CERTAIN)
    if number[0] == "零":  # with an area code, most likely
        return {8: 0.0, 10: 0.0, 11: CERTAIN, 12: CERTAIN}.get(count, -CERTAIN)
    return {7: 0.0, 8: CERTAIN, 10: 0.0, 11: CERTAIN, 18: CERTAIN}.get(count, -CERTAIN)


class Model:
    """Networks that learned from other draws of like texts: their mean errs less than any of them."""

    def __init__(self, *paths: Path) -> None:
        self._networks = []
        for path in paths or (MODEL,):
            with np.load(path) as stored:
                self._networks += [Network(stored, number) for number in range(int(stored["networks"]))]

    def log_odds(self, text: str) -> float:
        """The logarithm of the odds that a text ends after its last character."""
        return sum(one.log_odds(text) for one in self._networks) / len(self._networks)


class Network:
    """Weights unpacked; pure, so one serves all calls."""

    def __init__(self, stored: Any, number: int) -> None:
        characters = str(stored[f"characters{number}"])
        self._embedding = _unpacked(stored, f"embedding{number}")
        self._input, self._input_bias = _unpacked(stored, f"input{number}").T, stored[f"input_bias{number}"]
        self._recurrent = np.ascontiguousarray(_unpacked(stored, f"recurrent{number}").T)
        self._recurrent_bias = stored[f"recurrent_bias{number}"]
        self._whole = _unpacked(stored, f"whole{number}")[0]
        self._whole_bias = float(stored[f"whole_bias{number}"][0])
        self._codes = {character: code for code, character in enumerate(characters)}

    def log_odds(self, text: str) -> float:
        codes = [self._codes[BEGIN], *(self._codes.get(c, 0) for c in text[-_MOST_CHARACTERS:])]
        size = len(self._recurrent)
        inputs = self._embedding[codes] @ self._input + self._input_bias
        inputs[:, : 2 * size] += self._recurrent_bias[: 2 * size]
        new_bias = self._recurrent_bias[2 * size :]
        state, highest = np.zeros(size, np.float32), np.full(size, -1, np.float32)
        for step in inputs:  # a gated recurrent unit: Cho et al. 2014, as PyTorch has it
            carried = state @ self._recurrent
            gates = 1 / (1 + np.exp(-(step[: 2 * size] + carried[: 2 * size])))
            new = np.tanh(step[2 * size :] + gates[:size] * (carried[2 * size :] + new_bias))
            state = new + gates[size:] * (state - new)
            np.maximum(highest, state, out=highest)
        return float(np.concatenate([state, highest]) @ self._whole) + self._whole_bias


@functools.lru_cache(1)
def model() -> Model:
    """The model that comes with the package, loaded once."""
    return Model()


def _unpacked(stored: Any, name: str) -> Array:
    return np.asarray(stored[name].astype(np.float32) * stored[f"scale_{name}"])
