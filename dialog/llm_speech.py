"""Whether a model's clause can be spoken at all, and in what words: no Markdown, no address, no reasoning."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from dialog import LlmError
from dialog.words import clean

LEAK = 9  # characters in a row that a clause may share with the instructions
SHORT_LEAK = 6  # a clause of so many characters, all of it in the instructions, is from there

_LIST_MARK = re.compile(
    r"^\s*(?:>+\s*)?(?:#{1,6}\s*|[-*+•·●▪◦]\s+|[0-9]{1,2}[.、)）]\s*(?![0-9])|[（(][0-9]{1,2}[)）]\s*)"
)
_DECORATION = re.compile(
    "\\*{1,3}|_{2,}|`+|[#~～★☆※→←↑↓✓✔✅❌❗]|[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3]"
)
_URL = re.compile(r"https?:|www\.|[\w-]+\.(?:com|cn|net|org|gov|edu)\b|[\w.]+@[\w.]+|\]\(", re.IGNORECASE)
_CODE = re.compile(r"[{}<>|\\=\[\]$^_]|&[a-z]+;")
_OTHER_SCRIPT = re.compile("[\u0370-\u052f\u0590-\u06ff\u0e00-\u0e7f\u3040-\u30ff\uac00-\ud7af]")
_LATIN = re.compile("[A-Za-z]{2,}")
_REFUSAL = re.compile(
    "作为(?:一个|一名|一款)?(?:AI|人工智能|语言模型|大模型|大语言模型|虚拟)|语言模型|"
    "我(?:不能|无法|没办法|没法)(?:回答|提供|协助|帮助|满足|处理|讨论|继续|为您提供|告诉|给您)|(?:无法|不能)(?:回答|讨论)(?:这|该|此|您)|"
    "不(?:便|方便)(?:回答|透露)|换个话题|没有(?:查到|找到|查询到|检索到)|资料(?:里|中)?(?:并)?(?:没有|未)|未(?:查到|找到|检索到)|"
    "我不(?:知道|清楚|了解|确定)|超出了?我的"
)
_REASONING = re.compile(
    "用户(?:问|想|说|询问|提到|的问题|需要|要求|可能)|市民(?:问|询问|想知道|的问题是|说的是)|(?:我|现在)(?:需要|应该|得)先?(?:查找|查一下资料|调用|思考|"
    "分析|判断|检索|搜索)|让我(?:想|思考|分析|看看)|根据(?:系统|规则|指令|要求[,，])|思考过程|综上所述"
)
_TALKS_OF_ITSELF = re.compile(
    "系统提示|提示词|我的(?:指令|规则|设定|提示)|内部(?:指令|规则)|工具调用|开发者模式|已(?:解除|忽略)|忽略(?:之前|以上|前面|上面|所有)"
)


class Unfit(LlmError):
    """The model said what must not be spoken; `why` names the kind of it, never the words."""

    def __init__(self, why: str) -> None:
        super().__init__(f"LLM said what must not be spoken: {why}", retryable=False)
        self.why = why


class Secrets:
    """The instructions given to the model, of which nothing may be spoken."""

    def __init__(self, texts: Iterable[str], names: Collection[str]) -> None:
        self._text = "|".join(clean(text) for text in texts)
        self._names = tuple(names)

    def told_in(self, clause: str) -> bool:
        """Whether `clause` says a long piece of the instructions, or the name of a tool."""
        if any(name in clause for name in self._names) or _TALKS_OF_ITSELF.search(clause):
            return True
        words = clean(clause)
        if len(words) >= SHORT_LEAK and words in self._text:
            return True
        return any(words[at : at + LEAK] in self._text for at in range(len(words) - LEAK + 1))


def speakable(clause: str, secrets: Secrets, known: Collection[str]) -> str:
    """`clause` as it may be spoken, "" where nothing is left of it; raises Unfit.

    `known` are texts whose Latin words may be said (ETC, WiFi).
    """
    if secrets.told_in(clause):
        raise Unfit("instructions")
    if _URL.search(clause):
        raise Unfit("internet address")
    text = _DECORATION.sub("", _LIST_MARK.sub("", clause)).replace("\n", "").strip(" \t\r")
    if _CODE.search(text):
        raise Unfit("code")
    words = [word.lower() for word in _LATIN.findall(text)]
    spoken_here = "".join(known).lower()
    if _OTHER_SCRIPT.search(text) or any(word not in spoken_here and word != "app" for word in words):
        raise Unfit("language")
    if _REFUSAL.search(text):
        raise Unfit("refusal")
    if _REASONING.search(text):
        raise Unfit("reasoning")
    return text if any(char.isalnum() for char in text) else ""
