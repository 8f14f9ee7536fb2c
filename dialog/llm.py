"""The dialog with a language model: any OpenAI-compatible endpoint, grounded in the knowledge base.

The embedded dialog stands behind it: it obeys the orders that must always work, finishes what it has
begun, and takes over whenever the model's service fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import structlog

from dialog import (
    Action,
    Basis,
    CallContext,
    EndCall,
    FileTicket,
    LlmError,
    Message,
    Summary,
    Transfer,
    phrases,
)
from dialog.breaker import CircuitBreaker
from dialog.confidence import confidence
from dialog.expecting import asked_in
from dialog.intake import Intake
from dialog.knowledge import Hit, Knowledge
from dialog.llm_stream import LlmTimeouts, ToolCall, stream_chat
from dialog.manager import EmbeddedDialog
from dialog.talk import Talk, turn_of
from dialog.words import digits_in

_PROMPTS = Path(__file__).parent / "prompts"
HISTORY = 24  # messages of the call that the model sees
PASSAGES = 4
MIN_SCORE = 0.02  # a passage scored lower is not shown to the model
SOURCE_SCORE = 0.3  # from this score on a passage shown counts as a source of the reply

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PRIVATE = re.compile("[0-9零〇一二三四五六七八九幺]{7,}[Xx]?")
CALLER_MARK = "【来电号码】"


class LlmDialog:
    """A Dialog on a language model's service, with `fallback` behind it."""

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None,
        fallback: EmbeddedDialog,
        knowledge: Knowledge,
        *,
        timeouts: LlmTimeouts | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        """`base_url` as OpenAI clients take it (…/v1); `api_key` is sent as a bearer token where given.

        While `breaker` is open the model is not asked and the embedded dialog answers at once.
        """
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._fallback = fallback
        self._knowledge = knowledge
        self._timeouts = timeouts or LlmTimeouts()
        self._breaker = breaker or CircuitBreaker()
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.AsyncClient(headers=headers)
        self._system = (_PROMPTS / "system.md").read_text(encoding="utf-8")
        self._tools = json.loads((_PROMPTS / "tools.json").read_text(encoding="utf-8"))
        self._log = structlog.get_logger(__name__)

    async def aclose(self) -> None:
        """Close the connections to the endpoint."""
        await self._client.aclose()

    def greeting(self, call: CallContext) -> str:
        """What the agent says first."""
        return self._fallback.greeting(call)

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        """The call so far, for a seat."""
        return self._fallback.summarize(call, history)

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """Answer the last message of `history`; a failure of the service is bridged, not raised."""
        talk = turn_of(call, history).talk
        told_result = bool(history) and history[-1].who == "result"
        embedded = talk.begun or told_result or self._fallback.is_order(history)
        if embedded or not self._breaker.may_ask(anyio.current_time()):
            async with aclosing(self._fallback.reply(call, history)) as answer:
                async for item in answer:
                    yield item
            return
        started = False
        try:
            async with aclosing(self._ask(call, history, talk)) as answer:
                async for item in answer:
                    yield item
                    started = True
            return
        except LlmError as error:
            self._log.warning("llm_failed", call_id=call.call_id, error=str(error), mid_reply=started)
        async for item in self._bridge(call, history, started):
            yield item

    async def _bridge(
        self, call: CallContext, history: Sequence[Message], started: bool
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """The embedded dialog's reply; after words of the model were spoken, without a second Basis."""
        items = [item async for item in self._fallback.reply(call, history)]
        if not started:
            for item in items:
                yield item
            return
        basis = next(item for item in items if isinstance(item, Basis))
        # The memory of this reply cannot be kept any more: what depends on it must begin anew next turn.
        if isinstance(basis.memory, Talk) and (
            basis.memory.intake or basis.memory.awaiting in ("choice", "confirm", "offer")
        ):
            yield phrases.PROBLEM_RETRY
            return
        yield phrases.START_OVER
        for item in items:
            if not isinstance(item, Basis):
                yield item

    async def _ask(
        self, call: CallContext, history: Sequence[Message], talk: Talk
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """The model's reply, clause by clause, each checked; raises LlmError.

        What the reply asks for is read from its first clause, as the Basis goes out before the rest is known:
        a question asked at once is known, one that follows other words is not ("anything").
        """
        last = history[-1]
        hits = self._hits(history)
        masks = _masks(call, history)
        payload = {
            "model": self._model,
            "stream": True,
            "temperature": 0.2,
            "messages": self._messages(history, hits, masks),
            "tools": self._tools,
        }
        basis = Basis(
            _sure(last.confidence, hits),
            tuple(hit.passage.ref for hit in hits if hit.score >= SOURCE_SCORE),
            replace(talk, said="", misses=0, awaiting=""),
            talk.rate,
        )
        known = _numbers([*(h.passage.answer for h in hits), *(m.text for m in history)])
        spoken = False
        calls: list[ToolCall] = []
        async with aclosing(self._stream(payload)) as stream:
            async for item in stream:
                if isinstance(item, ToolCall):
                    calls.append(item)
                    continue
                clause = _checked(item, known, masks)
                if not spoken:
                    yield replace(basis, expects=asked_in(clause))
                spoken = True
                yield clause
        action, words = self._action(calls, call, history, masks)
        if not spoken:
            yield basis
            yield words
        if action:
            yield action

    async def _stream(self, payload: Mapping[str, Any]) -> AsyncGenerator[str | ToolCall, None]:
        """The model's answer; how it went is told to the breaker. Raises LlmError."""
        told = False
        try:
            async with aclosing(stream_chat(self._client, self._url, payload, self._timeouts)) as stream:
                async for item in stream:
                    yield item
            told = True
            if self._breaker.succeeded():
                self._log.info("llm_back")
        except LlmError as error:
            told = True
            if self._breaker.failed(anyio.current_time()):
                self._log.warning("llm_given_a_rest", rest_s=self._breaker.rest_s, error=str(error))
            raise
        finally:
            if not told:
                self._breaker.abandoned()

    def _hits(self, history: Sequence[Message]) -> list[Hit]:
        """Passages for the caller's last words; with the words before where the last alone say little."""
        said = [m.said for m in history if m.who == "caller"][-2:]
        hits = self._knowledge.search(said[-1], PASSAGES) if said else []
        if len(said) == 2 and (not hits or hits[0].score < SOURCE_SCORE):
            hits = sorted([*hits, *self._knowledge.search(said[0], PASSAGES)], key=lambda hit: -hit.score)
        best: dict[str, Hit] = {}
        for hit in hits:
            best.setdefault(hit.passage.id, hit)
        return [hit for hit in best.values() if hit.score >= MIN_SCORE][:PASSAGES]

    def _messages(
        self, history: Sequence[Message], hits: Sequence[Hit], masks: Mapping[str, str]
    ) -> list[dict[str, str]]:
        passages = "\n".join(
            f"- 问：{hit.passage.question} 答：{hit.passage.answer}（{hit.passage.department}）"
            for hit in hits
        )
        system = self._system.replace("{city}", self._fallback.city)
        system = system.replace("{hotline}", self._fallback.hotline_name)
        messages = [{"role": "system", "content": system.replace("{passages}", passages or "（没有找到）")}]
        for message in history[-HISTORY:]:
            text = _masked(message.text, masks)
            if message.who == "result":
                messages.append({"role": "system", "content": f"工单登记结果：{text or '失败'}"})
            elif text:
                role = "user" if message.who == "caller" else "assistant"
                messages.append({"role": role, "content": text})
        return messages

    def _action(
        self,
        calls: Sequence[ToolCall],
        call: CallContext,
        history: Sequence[Message],
        masks: Mapping[str, str],
    ) -> tuple[Action | None, str]:
        """The action of the first tool call, and what is said with it when the model said nothing."""
        if not calls:
            return None, ""
        tool, arguments = calls[0].name, {k: _unmasked(str(v), masks) for k, v in calls[0].arguments.items()}
        if tool == "transfer":
            summary = self._fallback.summarize(call, history)
            request = arguments.get("request") or summary.request
            if arguments.get("reason") == "caller_asked":
                return Transfer("caller_asked", replace(summary, request=request)), phrases.TO_HUMAN
            points = (f"未答复：{request}",)
            summary = replace(summary, request=request, open_points=points)
            return Transfer("low_confidence", summary), phrases.NO_ANSWER_TRANSFER
        if tool == "file_ticket" and arguments.get("matter"):
            intake = Intake(
                matter=arguments["matter"],
                place=arguments.get("place", ""),
                time=arguments.get("time", ""),
                name=arguments.get("name", ""),
                contact=digits_in(arguments.get("contact", ""), by_sound=False),
            )
            return FileTicket(self._fallback.clerk.draft(intake)), phrases.INTAKE_FILING
        if tool == "end_call":
            return EndCall(), phrases.GOODBYE
        raise LlmError(f"LLM called tool {tool!r} in a way this program does not know", retryable=True)


def _sure(asr: float, hits: Sequence[Hit]) -> float:
    if not hits:
        return confidence(asr, 0.0, 0.0, 0)
    margin = hits[0].score - (hits[1].score if len(hits) > 1 else 0.0)
    return confidence(asr, hits[0].score, margin, 0)


def _numbers(texts: Iterable[str]) -> set[str]:
    return {number for text in texts for number in _NUMBER.findall(text)}


def _checked(clause: str, known: set[str], masks: Mapping[str, str]) -> str:
    """`clause` with private numbers put back; raises LlmError on a number that the model was not given."""
    unmasked = _unmasked(clause, masks)
    plain = clause
    for mark in masks.values():
        plain = plain.replace(mark, "")
    if not _numbers([plain]) <= known:
        raise LlmError("LLM said a number that is in no passage", retryable=False)
    return unmasked


def _masks(call: CallContext, history: Sequence[Message]) -> dict[str, str]:
    """Private numbers said in the call → the marks that the model sees instead."""
    masks = {call.caller: CALLER_MARK} if call.caller else {}
    for message in history:
        for number in _PRIVATE.findall(message.text):
            masks.setdefault(number, f"【号码{len(masks) + 1}】")
    return masks


def _masked(text: str, masks: Mapping[str, str]) -> str:
    for number in sorted(masks, key=len, reverse=True):
        text = text.replace(number, masks[number])
    return text


def _unmasked(text: str, masks: Mapping[str, str]) -> str:
    for number, mark in masks.items():
        text = text.replace(mark, number)
    return text
