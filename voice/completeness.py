"""Whether the words heard so far may be all that the caller wants to say.

Numbers being spelled out have lengths, and some last words never end a sentence: that is written down here.
Everything else is judged by a small recurrent network that has read, character by character, what people say
to hotlines and machines (`bench/endpointing_training.py`): 社保卡丢了怎么补办 is whole, 社保卡 hardly so.
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
SURE, LIKELY = 3.0, 1.6

_MOST_CHARACTERS = 32  # are read, from the end
_ASKED_FOR = 2.5  # what was asked for may be all: a name, 昨天
_ANSWERED = 2.0  # a few words after a question for yes or no
_AFTER_LATIN = 1.4  # at most: nobody knows how long the word will be, and what it is
_DENIED = 1.4  # 不是 may be all, or be corrected: 不是，是三栋
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

_DENIES = re.compile("(?:不是|不对|错了|不是的|不对的)+")
# What was offered is taken: 就用这个号码, 打我现在这个电话就行
_TAKES = re.compile(
    "(?:对|好|嗯|可以|行)?(?:那?就|还是|还)?(?:请?(?:用|打|按|留|发|记|是|要))?我?(?:现在|刚才|原来|来电|打过?来)?(?:的|用的|说的)?"
    "(?:这个|那个|这|那)(?:手机|电话|座机)?(?:号码?|电话|手机|地址|名字|时间|地方)?(?:联系)?(?:吧|了|的|就行|就行了|就可以|就可以了|就好|可以|没错)?"
)
_FILLERS_ONLY = re.compile("(?:嗯|呃|额|唔|啊|哦)+")
_OR_NOT = "[能会有要让给算行收得].{1,16}(?<![能会要是可有好行都也还就得])[不没]$"  # 出差时的费用能报不
_ASKS = re.compile(
    r"怎么|怎样|如何|咋|什么|啥|多少|多久|多大|几[个号点岁月天年毛块]|(.)不\1|哪|谁|吗|能不能|可不可以|有没有|是不是|要不要|会不会|行不行|"
    f"{_OR_NOT}"
)
_ASKED_LAST = re.compile(
    r"(?:([^是])不\1|几[毛块号天年]|[去在]哪里?|[去在]哪儿|哪里有|几点|几天|几年|多少|多久|要什么|找谁|吗|呢|怎么办|怎么办理|怎么回事|的?(?:地址|条件|标准|材料|要求|时间)|咋[办弄整])$|"
    f"{_OR_NOT}"
)
_HOW_TO_DO_IT = re.compile("(?:怎么|怎样|如何|咋).{3,}(?<![的了把给到和跟在])$")
_DANGLING = (
    "嗯|呃|额|唔|那个|这个|那什么|怎么说呢|怎么说|"
    "我?想(?:问|咨询|请教|打听|反映|投诉|查询?|了解)(?:一下|下|个)?|请问(?:一下)?|(?:问|咨询|反映)(?:一下|下)|"
    "^(?:我想|我要|我想要|我就想|我是想|帮我|麻烦[你您]|能不能|可不可以|[我你他]们?的)|"
    "就是说?|因为|由于|所以|但是|可是|不过|而且|并且|然后|还有|如果|要是|假如|虽然|尽管|或者|以及|关于|对于|按照|根据|"
    "通过|为了|除了|比如说?|例如|包括|第|(?<![自现存实所内潜好人都还不])在|(?<![供])给|(?<![方转倾意走流])向|(?<![交往以来])往|"
    "(?<![温饱暖缓共祥总])和|(?<![参给])与|跟|从|把|被|或|应该是|(?<=不是|不对|错了)我?的?是"
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
    if number[0] == "一" and count <= 11:
        return CERTAIN if count == 11 else -CERTAIN
    if number[0] == "零":  # with an area code, most likely
        return {8: 0.0, 10: 0.0, 11: CERTAIN, 12: CERTAIN}.get(count, -CERTAIN)
    return {7: 0.0, 8: CERTAIN, 10: 0.0, 11: CERTAIN, 18: CERTAIN}.get(count, -CERTAIN)


class Model:
    """The network, its weights unpacked; pure, so one serves all calls."""

    def __init__(self, path: Path = MODEL) -> None:
        with np.load(path) as stored:
            characters = str(stored["characters"])
            self._embedding = _unpacked(stored, "embedding")
            self._input, self._input_bias = _unpacked(stored, "input").T, stored["input_bias"]
            self._recurrent, self._recurrent_bias = _unpacked(stored, "recurrent").T, stored["recurrent_bias"]
            self._whole, self._whole_bias = _unpacked(stored, "whole")[0], float(stored["whole_bias"][0])
        self._recurrent = np.ascontiguousarray(self._recurrent)
        self._codes = {character: code for code, character in enumerate(characters)}

    def log_odds(self, text: str) -> float:
        """The logarithm of the odds that a text ends after its last character."""
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
    return np.asarray(stored[name].astype(np.float32) * stored[f"{name}_scale"])
