"""The dialog with a language model: any OpenAI-compatible endpoint, grounded in the knowledge base.

The embedded dialog stands behind it: it obeys the orders that must always work, finishes what it has
begun, and takes over whenever the model's service fails or says what it must not.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

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
from dialog.complaints import Complaints
from dialog.grounding import Grounds
from dialog.intake import Intake
from dialog.intents import Intent, control_intent, is_farewell
from dialog.knowledge import Hit, Knowledge
from dialog.llm_bridge import instead
from dialog.llm_endpoints import Endpoint, Endpoints, Resting
from dialog.llm_prompt import HISTORY, Prompt, called_again, found_passages, result
from dialog.llm_reply import PASSAGES, SOURCE_SCORE, Reply, distinct
from dialog.llm_speech import Unfit, speakable
from dialog.llm_stream import LlmTimeouts, ToolCall
from dialog.llm_tools import (
    chosen_action,
    intake_of,
    is_confirmed,
    may_end,
    text_arguments,
    ticket_status,
    transfer,
)
from dialog.manager import EmbeddedDialog
from dialog.masking import Masks
from dialog.orders import is_hostile
from dialog.talk import Talk, turn_of

__all__ = ["Endpoint", "LlmDialog"]

MIN_SCORE = 0.02  # a passage scored lower is not shown to the model
# Nor one with less than this part of the best one's score: the model could mix it in. Where one surely fits,
# there is little to be said for others.
MIN_SHARE, MIN_SHARE_SURE, SURE = 0.3, 0.75, 0.95
MAX_LOOKUPS = 3  # rounds of looking something up for one reply
MAX_HELD = 3  # clauses

_QUESTION_END = re.compile("[？?]|吗[。]?$")
_DONE = re.compile(
    "已经?(?:帮|为|给)?您?(?:登记|提交|受理|上报|反映|转交|记录)(?!在|的)|(?:登记|提交|上报)(?:成功|好了|完成)"
)
_HANDS_OVER = re.compile("(?:帮|为|给)您(?:转接|转到|转人工|转给人工)(?![^。]*[吗？?])")
# Said before a tool is called as a rule; held back until the next words, as the tool may not be allowed.
_PREFACE = re.compile(
    "^(?:好的?|嗯|行|没问题|明白了?|收到|了解|抱歉|对不起|不好意思|是的)[，,。！!]?$|登记|提交|上报|工单|受理|再见|挂断"
)


class LlmDialog:
    """A Dialog on language models' services, with `fallback` behind them."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        fallback: EmbeddedDialog,
        knowledge: Knowledge,
        *,
        timeouts: LlmTimeouts | None = None,
        breakers: Sequence[CircuitBreaker] = (),
    ) -> None:
        """`endpoints` are asked in their order, one that keeps failing not while its breaker is open.

        While none may be asked, the embedded dialog answers at once. Raises ValueError without an endpoint.
        """
        self._endpoints = Endpoints(endpoints, timeouts or LlmTimeouts(), breakers)
        self._fallback = fallback
        self._knowledge = knowledge
        services = [service.name for service in fallback.guidance.services.values()]
        self._prompt = Prompt(fallback.city, fallback.hotline_name, services)
        self._log = structlog.get_logger(__name__)

    async def aclose(self) -> None:
        """Close the connections to the endpoints."""
        await self._endpoints.aclose()

    def greeting(self, call: CallContext) -> str:
        """What the agent says first."""
        return self._fallback.greeting(call)

    def summarize(self, call: CallContext, history: Sequence[Message]) -> Summary:
        """The call so far, for a seat."""
        return self._fallback.summarize(call, history)

    async def reply(
        self, call: CallContext, history: Sequence[Message]
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """Answer the last message of `history`; a failure of the model is bridged, not raised."""
        talk = turn_of(call, history).talk
        if self._is_embedded(call, history, talk) or self._endpoints.resting:
            async with aclosing(self._fallback.reply(call, history)) as answer:
                async for item in answer:
                    yield item
            return
        reply = await self._begin(call, history, talk)
        try:
            async with aclosing(self._ask(reply)) as answer:
                async for item in answer:
                    yield item
            return
        except LlmError as error:
            failure = error
        if not isinstance(failure, Resting):
            self._log.warning("llm_failed", call_id=call.call_id, error=str(failure), mid_reply=reply.began)
        async with aclosing(instead(reply, failure, self._fallback)) as answer:
            async for item in answer:
                yield item

    # -- before the model is asked ---------------------------------------------------------------------------

    def _is_embedded(self, call: CallContext, history: Sequence[Message], talk: Talk) -> bool:
        """Whether the embedded dialog answers: what it began, outcomes, orders, work orders, leave-taking.

        And a caller who surely wants a service done: it leads them through.
        """
        if not history or history[-1].who != "caller":
            return True
        said = history[-1].said
        progress = control_intent(said) is Intent.PROGRESS
        more = talk.awaiting in ("more", "closing")
        leaves = is_farewell(said) or (more and may_end(history, asked_more=False))
        if talk.begun or progress or leaves or self._fallback.is_order(history):
            return True
        return self._fallback.is_for_guidance(call, history)

    async def _begin(self, call: CallContext, history: Sequence[Message], talk: Talk) -> Reply:
        masks = Masks(self._fallback.clerk.gazetteer, call.caller)
        hits = await self._hits(history)
        messages = self._prompt.messages(history, masks, hits)
        return Reply(call, history, talk, masks, messages, hits, self._grounds(history, hits, ()))

    async def _hits(self, history: Sequence[Message]) -> list[Hit]:
        """Passages for the caller's last words; with the words before where the last alone say little."""
        said = [m.said for m in history if m.who == "caller"][-2:]
        hits = await self._find(said[-1])
        if len(said) == 2 and (not hits or hits[0].score < SOURCE_SCORE):
            hits = sorted([*hits, *await self._find(said[0])], key=lambda hit: -hit.score)
        return distinct(hits)

    async def _find(self, text: str) -> list[Hit]:
        """Passages for `text`, without any that names a tool; the knowledge finds none that gives orders."""
        hits = await self._knowledge.find(text, PASSAGES)
        best = max((hit.score for hit in hits), default=0.0)
        least = max(MIN_SCORE, best * (MIN_SHARE_SURE if best >= SURE else MIN_SHARE))
        tools = self._prompt.tool_names
        return [hit for hit in hits if hit.score >= least and not is_hostile(hit.passage, tools)]

    def _grounds(self, history: Sequence[Message], hits: Sequence[Hit], told: Sequence[str]) -> Grounds:
        recent = history[-HISTORY:]
        return Grounds(
            [hit.passage for hit in hits],
            [m.text + "。" + m.heard for m in recent if m.who == "caller"],
            [*(m.text for m in recent if m.who == "agent"), *told],
            self._fallback.clerk.gazetteer,
            self._fallback.city,
        )

    # -- what the model says and does ------------------------------------------------------------------------

    async def _ask(self, reply: Reply) -> AsyncGenerator[str | Basis | Action, None]:
        """The model's reply, clause by clause, each checked; raises LlmError."""
        while True:
            body = {"temperature": 0.2, "messages": reply.messages, "tools": self._prompt.tools}
            calls: list[ToolCall] = []
            async with aclosing(self._endpoints.chat(body, reply.call.call_id, reply.wording)) as stream:
                async for item in stream:
                    if isinstance(item, ToolCall):
                        calls.append(item)
                        continue
                    for said in self._said(reply, item):
                        yield said
                    if reply.is_long:
                        if not _QUESTION_END.search(reply.spoken[-2:]):
                            yield phrases.ANYTHING_ELSE
                        return
            action = chosen_action(calls)
            if action or not calls:
                break
            await self._look_up(reply, calls)
        async with aclosing(self._done(reply, action)) as end:
            async for done in end:
                yield done

    def _said(self, reply: Reply, clause: str) -> Iterator[str | Basis]:
        """`clause` as it is spoken, behind the Basis where it is the first; raises Unfit."""
        known = [f"{hit.passage.question}{hit.passage.answer}" for hit in reply.hits]
        text = speakable(clause, self._prompt.secrets, [*known, *(m.text for m in reply.history)])
        if not text:
            return
        if reply.masks.unknown(text):
            raise Unfit("unknown mark")
        if _DONE.search(text) and not reply.talk.filed:
            raise Unfit("something done that was not")
        before = re.split("[。！？!?]", reply.round)[-1]
        if kind := reply.grounds.violation(Masks.without(text), Masks.without(before)):
            raise Unfit(kind)
        reply.round += text
        if not reply.began and len(reply.held) < MAX_HELD and _PREFACE.search(text):
            reply.held.append(text)
            return
        yield from self._given_out(reply, text)

    def _given_out(self, reply: Reply, text: str, *, intake: Intake | None = None) -> Iterator[str | Basis]:
        """The Basis where it is not out yet, then what was held and `text`, private parts put back."""
        words = reply.masks.restore("".join(reply.held) + text)
        reply.held.clear()
        if not reply.began:
            reply.began = True
            yield reply.basis(words, intake)
        reply.spoken += words
        if words:
            yield words

    async def _look_up(self, reply: Reply, calls: Sequence[ToolCall]) -> None:
        """Answer the model's questions, for its next round; raises Unfit where it does not stop asking."""
        reply.lookups += 1
        if reply.lookups > MAX_LOOKUPS:
            raise Unfit("looking up without an end")
        reply.messages.append(called_again(calls, reply.round))
        reply.round = ""
        for call in calls:
            content: object
            arguments = text_arguments(call, reply.masks)
            if call.name == "search_knowledge":
                hits = await self._find(arguments.get("query") or reply.history[-1].said)
                reply.hits = distinct([*hits, *reply.hits])
                content = found_passages(hits)
            else:
                number = arguments.get("number", "")
                told = await ticket_status(number, reply.call, self._fallback.tickets)
                reply.told.append("，".join(told.values()))
                content = {name: reply.masks.mask(text) for name, text in told.items()}
            reply.messages.append(result(call.id, content))
        reply.grounds = self._grounds(reply.history, reply.hits, reply.told)

    async def _done(
        self, reply: Reply, action: ToolCall | None
    ) -> AsyncGenerator[str | Basis | Action, None]:
        """The end of the reply: what is held, and the action where the state of the call allows it."""
        if not action:
            if not reply.began and not reply.held:
                raise Unfit("nothing")
            for said in self._given_out(reply, ""):
                yield said
            if _HANDS_OVER.search(reply.spoken):  # said, and the tool forgotten
                yield Transfer("low_confidence", self.summarize(reply.call, reply.history))
        elif action.name == "transfer":
            told = [message.said for message in reply.history if message.who == "caller"]
            summary = self.summarize(reply.call, reply.history)
            done, words = transfer(action, reply.masks, summary, told)
            for said in self._given_out(reply, "" if reply.spoken or reply.held else words):
                yield said
            yield done
        elif action.name == "file_ticket":
            intake = intake_of(action, reply.masks)
            if not reply.began:  # else the answer to an offer could not be kept in mind
                complaints = Complaints(self._fallback.clerk, self._fallback.tickets)
                intake = await complaints.perhaps_joining(intake)
            for step in self._filed(reply, intake):
                yield step
        elif action.name == "guide_service":
            for item in self._led(reply, text_arguments(action, reply.masks).get("service", "")):
                yield item
        elif may_end(reply.history, asked_more=reply.talk.awaiting in ("more", "closing")):
            for said in self._given_out(reply, "" if reply.spoken or reply.held else phrases.GOODBYE):
                yield said
            yield EndCall()
        else:
            reply.held.clear()
            for said in self._given_out(reply, phrases.ANYTHING_ELSE):
                yield said

    def _led(self, reply: Reply, name: str) -> Iterator[str | Basis]:
        """The beginning of the guidance, with which the embedded dialog goes on; raises Unfit."""
        service = self._fallback.guidance.named(name)
        if service is None:
            raise Unfit("unknown service")
        reply.held.clear()
        if reply.began:  # the first answer could not be kept in mind
            yield self._fallback.guidance.offer(service).text
            return
        basis, text = self._fallback.lead(reply.call, reply.history, service)
        yield replace(basis, decision={**basis.decision, "llm": "guide_service"})
        yield text

    def _filed(self, reply: Reply, intake: Intake) -> Iterator[str | Basis | Action]:
        """The work order if the caller said yes to it, else what is asked before, as a rule the read-back.

        The embedded dialog goes on from there.
        """
        clerk = self._fallback.clerk
        if intake.asking == "confirm" and is_confirmed(intake, reply.call, reply.history):
            words = "" if reply.spoken or reply.held else phrases.INTAKE_FILING
            yield from self._given_out(reply, words, intake=replace(intake, asking="filing"))
            yield FileTicket(clerk.draft(intake))
            return
        reply.held.clear()
        yield from self._given_out(reply, clerk.question(intake, reply.call.caller), intake=intake)
