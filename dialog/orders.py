"""Text that gives orders to a machine where it should inform a person: prompt injection in knowledge."""

from __future__ import annotations

import re
from collections.abc import Collection
from unicodedata import normalize

from dialog.passages import Passage

# No reviewed passage says so to a caller. 无视交通规则, 忘记密码 and 系统提示错误 are said to people.
_ORDERS = re.compile(
    "(?:忽略|无视|忘记|忘掉|不要?理会|不用(?:理会|管)|推翻|覆盖)掉?[^，。；！？]{0,4}"
    "(?:之前|以上|前面|上面|所有|一切|先前|原来|原先|此前|上述|你的|系统)[^，。；！？]{0,6}"
    "(?:指令|指示|提示|规则|要求|设定|限制|命令|约束|对话)"
    "|系统提示词|(?:进入|开启|启用)开发者模式|越狱模式"
    "|你(?:现在|必须|要)?(?:是|扮演)(?:一个|一名)?[^，。；！？]{0,8}"
    "(?:AI|人工智能|语言模型|没有(?:任何)?限制|黑客|助手|机器人)"
    r"|(?:调用|执行|使用)\s*[a-z]+_[a-z]+"
    r"|(?<![a-z])(?:ignore|disregard|forget)(?![a-z]).{0,30}(?<![a-z])(?:instruction|prompt|rule)"
    r"|system ?prompt|you are now(?![a-z])|jailbreak|<\|im_(?:start|end)\|>|\[/?INST\]"
    "|tool_call|function_call",
    re.IGNORECASE,
)
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]|(?<=[^\x00-\x7f])\\s+(?=[^\x00-\x7f])")


def gives_orders(text: str, tools: Collection[str] = ()) -> bool:
    """Whether `text` gives orders to a model (忽略之前的指令), or names one of its `tools`.

    Wide letters, blanks between Chinese characters and what is not seen at all hide nothing.
    """
    plain = _UNSEEN.sub("", normalize("NFKC", text))
    return bool(_ORDERS.search(plain)) or any(tool in plain for tool in tools)


def is_hostile(passage: Passage, tools: Collection[str] = ()) -> bool:
    """Whether what a caller would hear of the passage, or a model read, gives orders to a machine."""
    return any(gives_orders(text, tools) for text in (passage.question, passage.answer, passage.department))
