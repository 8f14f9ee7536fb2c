"""What is said in place of a language model that failed, in the same sentence if need be."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from dialog import Action, Basis, LlmError, Transfer, phrases
from dialog.llm_reply import Reply
from dialog.llm_speech import Unfit
from dialog.manager import EmbeddedDialog
from dialog.talk import Talk, understood

ACCURATELY = "准确的说法是，"


async def instead(
    reply: Reply, failure: LlmError, fallback: EmbeddedDialog
) -> AsyncGenerator[str | Basis | Action, None]:
    """The rest of `reply`: all of it where nothing was spoken, else what sets the spoken words right."""
    why = failure.why if isinstance(failure, Unfit) else "service"
    best = reply.hits[0].passage if reply.hits else None
    if not reply.began and best and reply.lookups and reply.sure >= fallback.policy.answer_from:
        # The model looked up something better than the caller's words find.
        talk = understood(reply.talk, awaiting="more", answered=(*reply.talk.answered, best.question))
        figures = {"retrieval": round(reply.hits[0].score, 3), "lookups": reply.lookups}
        yield Basis(
            reply.sure,
            (best.ref,),
            talk,
            talk.rate,
            decision={"kind": "answer", "llm": why, **figures},
        )
        yield best.answer + phrases.ANYTHING_ELSE
    elif not reply.began:
        async with aclosing(fallback.reply(reply.call, reply.history)) as answer:
            async for item in answer:
                if isinstance(item, Basis):
                    item = replace(item, decision={**item.decision, "llm": why})
                yield item
    elif isinstance(failure, Unfit) and best and reply.sure >= fallback.policy.transfer_below:
        yield ACCURATELY + best.answer
    elif isinstance(failure, Unfit):
        yield phrases.NO_ANSWER_TRANSFER
        yield Transfer("low_confidence", fallback.summarize(reply.call, reply.history))
    else:
        async for rest in _start_over(reply, fallback):
            yield rest


async def _start_over(reply: Reply, fallback: EmbeddedDialog) -> AsyncGenerator[str | Action, None]:
    """The embedded dialog's reply after words of a model whose service then failed."""
    items = [item async for item in fallback.reply(reply.call, reply.history)]
    memory = next(item.memory for item in items if isinstance(item, Basis))
    # The memory of this reply cannot be kept any more: what depends on it must begin anew next turn.
    if isinstance(memory, Talk) and memory.begun:
        yield phrases.PROBLEM_RETRY
        return
    yield phrases.START_OVER
    for item in items:
        if not isinstance(item, Basis):
            yield item
