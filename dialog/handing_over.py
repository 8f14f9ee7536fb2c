"""A reply that gives the caller to a person, with what that person must know."""

from __future__ import annotations

from dataclasses import replace

from dialog import Summary, Transfer, phrases
from dialog.intake import Clerk
from dialog.policy import Evidence, Policy
from dialog.summary import build_summary, last_request, mood
from dialog.talk import Answer, Turn, understood


def is_upset(turn: Turn) -> bool:
    """Whether the caller sounds dissatisfied by their words."""
    return mood(turn.history) == "不满"


def summary_of(turn: Turn, clerk: Clerk, unanswered: str = "") -> Summary:
    """The call so far, for a seat; `unanswered` is the question that got no answer."""
    talk = turn.talk
    return build_summary(
        turn.call,
        turn.history,
        clerk.taxonomy,
        intake=talk.intake,
        answered=talk.answered,
        unanswered=unanswered,
        filed=talk.filed,
        write=clerk.write,
    )


def no_answer(turn: Turn, clerk: Clerk, text: str, sure: float, unanswered: str = "") -> Answer:
    """A person takes over what the knowledge base does not know, `unanswered`."""
    action = Transfer("low_confidence", summary_of(turn, clerk, unanswered))
    return Answer("transfer", text, understood(turn.talk), sure, action=action, why="no_answer")


def not_understood(turn: Turn, policy: Policy, clerk: Clerk, found: Evidence | None = None) -> Answer:
    """The caller is asked to say it again, or, when that was in vain, given to a person."""
    judged = policy.missed(turn.talk.misses, upset=is_upset(turn))
    figures = (found or Evidence(turn.asr, misses=turn.talk.misses)).figures
    if judged.kind == "rephrase":
        talk = replace(turn.talk, misses=turn.talk.misses + 1, awaiting="")  # 再说一遍 says what was before
        return Answer("rephrase", phrases.REPHRASE, talk, 0.0, why=judged.why, figures=figures)
    action = Transfer("low_confidence", summary_of(turn, clerk, last_request(turn.history)))
    text = phrases.NOT_UNDERSTOOD_TRANSFER
    return Answer(
        "transfer", text, understood(turn.talk), 0.0, action=action, why=judged.why, figures=figures
    )
