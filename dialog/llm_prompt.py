"""What is sent to a model: the instructions, the call so far with marks for what is private, what was found.

Instructions stand in the first message alone. A caller's words are the content of their own messages, what
the knowledge base or a work order says is the result of a tool, as JSON: neither can be taken for the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from dialog import Message
from dialog.knowledge import Hit
from dialog.llm_speech import Secrets
from dialog.llm_stream import ToolCall
from dialog.masking import Masks

Sent: TypeAlias = "dict[str, Any]"  # one message of a request

HISTORY = 24  # messages of the call that the model sees
_PROMPTS = Path(__file__).parent / "prompts"
_FIRST_SEARCH = "search000"
_GUIDE = "guide_service"


class Prompt:
    """The reviewed instructions and tools, for one city and the names of the `services` it leads through."""

    def __init__(self, city: str, hotline_name: str, services: Sequence[str] = ()) -> None:
        system = (_PROMPTS / "system.md").read_text(encoding="utf-8")
        lines = [line for line in system.splitlines() if services or _GUIDE not in line]
        self.system = "\n".join(lines).replace("{city}", city).replace("{hotline}", hotline_name)
        tools: list[Sent] = json.loads((_PROMPTS / "tools.json").read_text(encoding="utf-8"))
        self.tools = [tool for tool in tools if services or tool["function"]["name"] != _GUIDE]
        for tool in self.tools:
            if tool["function"]["name"] == _GUIDE:
                tool["function"]["parameters"]["properties"]["service"]["enum"] = list(services)
        self.tool_names = tuple(str(tool["function"]["name"]) for tool in self.tools)
        described = [str(tool["function"]["description"]) for tool in self.tools]
        self.secrets = Secrets([self.system, *described], self.tool_names)

    def messages(self, history: Sequence[Message], masks: Masks, hits: Sequence[Hit]) -> list[Sent]:
        """A request's messages for a reply to the last of `history`; `hits` were found for it."""
        sent: list[Sent] = []
        asked = ""
        for message in history:  # all of it, as the marks are numbered in the order of the call
            text = _inert(masks.mask(message.text, asked if message.who == "caller" else ""))
            asked = message.text if message.who == "agent" else asked
            if text and message.who != "result":  # an outcome was told by the agent right after it
                sent.append({"role": "user" if message.who == "caller" else "assistant", "content": text})
        query = json.dumps({"query": sent[-1]["content"] if sent else ""}, ensure_ascii=False)
        search = called([(_FIRST_SEARCH, "search_knowledge", query)], "")
        found = result(_FIRST_SEARCH, found_passages(hits))
        return [{"role": "system", "content": self.system}, *sent[-HISTORY:], search, found]


def called(calls: Sequence[tuple[str, str, str]], said: str) -> Sent:
    """The message of a model that called tools (id, name, arguments), with what it said before."""
    return {
        "role": "assistant",
        "content": said,
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in calls
        ],
    }


def called_again(calls: Sequence[ToolCall], said: str) -> Sent:
    """As `called`, for calls as they came."""
    return called([(c.id, c.name, json.dumps(c.arguments or {}, ensure_ascii=False)) for c in calls], said)


def result(call_id: str, content: object) -> Sent:
    """The message with what a tool found."""
    return {"role": "tool", "tool_call_id": call_id, "content": json.dumps(content, ensure_ascii=False)}


def found_passages(hits: Sequence[Hit]) -> object:
    """Passages as the model sees them."""
    if not hits:
        return {"结果": "没有查到"}
    return [
        {"问": hit.passage.question, "答": hit.passage.answer, "部门": hit.passage.department} for hit in hits
    ]


def _inert(text: str) -> str:
    """`text` without the marks by which some servers tell messages apart (<|im_start|>, [INST])."""
    return text.replace("<", "＜").replace(">", "＞").replace("[", "［").replace("]", "］")
