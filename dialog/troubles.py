"""Whether a caller's first words report a trouble or ask something, as far as their words show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dialog.words import clean

LONG_CHARS = 10  # a statement of so many characters about a known matter tells what happened
STORY_CHARS = 14  # and one of so many, whatever it is about
FEW, MANY = 2, 3  # words of trouble: that tell enough without a known matter, and although something is asked

# Asked only to complain: 有这个道理吗, 你们管不管.
_RHETORIC = re.compile(
    "(?:有这个道理|合理|有道理|有用|合法|像话|叫什么话|什么时候能.{1,6}|应该|能这样|公平|是不是欺负人|"
    "你们管不管|管不管|"
    "还有没有人管)(?:吗|嘛|啊)?$|(?:以后|下次|万一|到时候|出了事|砸到人|摔了人).{0,6}怎么办$|你说这.*$|"
    "不知道(?:找谁|算投诉还是咨询)|你们(?:到底)?管不管啊?|能不能(?:派|管|来|让|帮|给|修|去|快).*$|"
    "你们(?:有没有|是不是).{0,10}$"
)
_ASKS = re.compile(
    "怎么(?!还|就|这|老|能|那么|静)|如何|多少(?!次|回)|哪里|哪儿|上哪|到哪|去哪|在哪|找谁|归谁|哪个|"
    "什么(?!时候能|道理|都|人)|"
    "哪些|(?<![好这那前过十])几(?:点|倍|年|月|种|天|号|个工作日|个点)|材料|手续|流程|条件|怎样|算不算|"
    "要不要|多久(?!了)|多快|"
    "能报|打什么电话|查询|"
    "(?:吗|嘛|不|(?<!都)(?<!也)(?:没|没有))$|"
    "(?!得不得)(?<!爱)(?P<either>[一-鿿])不(?P=either)|咋|谁(?:修|管|负责|来|能|可以|的|该|去|出|办)|"
    "有没有|啥|"
    "能查|需不需要|可以.{0,8}吗|能.{0,8}吗|还是|"
    "确认一下|问问|问一下|咨询"
)
_WANTS = re.compile(
    "^(?:我|你好|请问|我们)*(?:想|要|准备|打算)(?:问|咨询|了解|办|申请|查|知道|给|买|开|提取|转|晓得|请教|"
    "提前)"
)


def reports_trouble(text: str, words: Sequence[str], *, known: bool) -> bool:
    """Whether `text` reports that something is wrong: `words` say so; `known`: the city knows the matter."""
    text = clean(text)
    told = sum(word in text for word in words)
    if _WANTS.search(text):
        return told > FEW and known
    if _ASKS.search(_RHETORIC.sub("", text)):
        return told >= MANY and known
    return told >= FEW or (known and (told > 0 or len(text) >= LONG_CHARS)) or len(text) >= STORY_CHARS
