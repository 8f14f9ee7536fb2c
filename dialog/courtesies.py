"""Words whose meaning hangs on what was asked: yes, no, thanks, hello; and how a call comes to its end."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dialog import EndCall, Transfer, phrases
from dialog.complaints import Complaints
from dialog.handing_over import not_understood, summary_of
from dialog.intents import Intent, is_farewell, is_question, is_thanks, polarity
from dialog.policy import Policy
from dialog.summary import last_request
from dialog.talk import Answer, Turn, understood
from dialog.words import clean

SHORT_CHARS = 14  # what is longer tells a matter of its own
FEW_CHARS = 8

_HAS_MORE = re.compile("有|要")
_WRONG = re.compile("不对|不是|错")
_NO_HELP = re.compile("没有?解决|解决不了|没有?用|不管用|没有?帮上|找不到|打不通|没人接|联系不上|办不了|白打")
_TICKET = re.compile("登记|工单|第一|前一|都行|都可以")
_PERSON = re.compile("第二|后一|坐席|人工|工作人员")
_NO_MATTER = (None, Intent.YES, Intent.NO, Intent.GOODBYE, Intent.HELLO)
# The first that matches: 不满意 holds 满意, and 还可以 holds 可以.
_RATINGS = (
    (1, re.compile("不太?满意|不好|差|不行|失望|生气|^[按选]?[3三]$")),
    (2, re.compile("一般|还行|还可以|凑合|马马虎虎|^[按选]?[2二两]$")),
    (3, re.compile("满意|[很挺真蛮]好|好评|不错|^[按选]?[1一]$")),
)


def rating_of(said: str) -> int | None:
    """What `said`, without punctuation, thinks of a service: 1 (not satisfied) to 3; None: nothing."""
    return next((rating for rating, words in _RATINGS if words.search(said)), None)


@dataclass(frozen=True, slots=True)
class Courtesies:
    """Small words and the end of a call; `ask_satisfaction`: before the goodbye, how the call was."""

    policy: Policy
    complaints: Complaints
    ask_satisfaction: bool = True

    def reply(self, turn: Turn, intent: Intent | None) -> Answer | None:
        """The reply to such words; None for any others."""
        talk = turn.talk
        closing = talk.awaiting == "closing"
        more = closing or talk.awaiting == "more"
        match intent:
            case Intent.GOODBYE if talk.awaiting == "more" and is_thanks(turn.text):
                return _said(turn, phrases.WELCOME, awaiting="closing")
            case Intent.GOODBYE if is_farewell(turn.text):
                return _goodbye(turn)
            case Intent.GOODBYE if more:
                return self._close(turn)
            case Intent.NO if _WRONG.search(turn.text):
                return not_understood(turn, self.policy, self.complaints.clerk)
            case Intent.NO if more:
                return self._close(turn)
            case Intent.ASK:
                return _said(turn, phrases.GO_AHEAD)
            case Intent.YES if more and _HAS_MORE.search(turn.text):
                return _said(turn, phrases.GO_AHEAD)
            case Intent.YES if closing:
                return self._close(turn)
            case Intent.YES if more:
                # 嗯 or 好的 after an answer says that it was heard, not that there is more to ask.
                return _said(turn, phrases.ACKNOWLEDGED, awaiting="closing")
            case Intent.YES if not talk.answered and not talk.filed:
                return _said(turn, phrases.GO_AHEAD)
            case Intent.GOODBYE | Intent.YES | Intent.NO:
                return _said(turn, phrases.ANYTHING_ELSE, awaiting="more")
            case Intent.WHO:
                return _said(turn, phrases.WHO_I_AM, awaiting=talk.awaiting)
            case Intent.HELLO if talk.awaiting:
                return Answer("courtesy", phrases.GO_AHEAD, talk, turn.heard)
            case Intent.HELLO:
                return _said(turn, phrases.HELLO_AGAIN)
            case _:
                return None

    def not_helped(self, turn: Turn) -> Answer | None:
        """没解决, 打不通 after an answer: another way is offered; None for any other words."""
        told = turn.talk.answered and turn.talk.awaiting in ("more", "closing", "offer")
        short = len(clean(turn.text)) <= SHORT_CHARS and not is_question(turn.text)
        if not (told and short and _NO_HELP.search(turn.text)):
            return None
        matter = last_request(turn.history[:-1]) or turn.text
        talk = understood(turn.talk, awaiting="another_way", offered=matter)
        return Answer("courtesy", phrases.ANOTHER_WAY, talk, turn.heard, why="not_helped")

    def answered_way(self, turn: Turn) -> Answer | None:
        """Which of a work order and a person the caller chose; None where they say something else."""
        talk, answer = turn.talk, polarity(turn.text)
        if talk.awaiting != "another_way":
            return None
        if _PERSON.search(turn.text):
            action = Transfer("caller_asked", summary_of(turn, self.complaints.clerk, talk.offered))
            return Answer("transfer", phrases.TO_HUMAN, understood(talk), turn.heard, action=action)
        if answer or _TICKET.search(turn.text):
            return self.complaints.start(turn, talk.offered)
        if answer is False:
            return self._close(turn) if talk.rated else _said(turn, phrases.ANYTHING_ELSE, awaiting="more")
        return None

    def rated(self, turn: Turn, intent: Intent | None) -> Answer | None:
        """What the caller thought of the call; None where nobody asked, or they have another matter."""
        said = clean(turn.text)
        if turn.talk.awaiting != "satisfaction" or intent not in _NO_MATTER or is_question(said):
            return None
        rating = rating_of(said)
        if rating is None:  # 嗯, 好的 and 谢谢 are no opinion, and a mumble here is no reason to ask again
            return _goodbye(turn) if len(said) <= FEW_CHARS else None
        if rating > 1:
            return replace(_goodbye(turn, phrases.RATED_GOODBYE), satisfaction=rating)
        matter = last_request(turn.history[:-1])
        talk = understood(turn.talk, awaiting="another_way", offered=matter)
        why = "not_satisfied"
        return Answer(
            "close", phrases.NOT_SATISFIED, talk, turn.heard, why=why, satisfaction=rating, closing=True
        )

    def _close(self, turn: Turn) -> Answer:
        """The caller needs nothing more: ask how it was, once, where there was something; then goodbye."""
        talk = turn.talk
        served = talk.answered or talk.filed or turn.call.handed_back
        if not self.ask_satisfaction or talk.rated or not served:
            return _goodbye(turn)
        asked = understood(talk, awaiting="satisfaction", rated=True)
        return Answer("close", phrases.ASK_SATISFACTION, asked, turn.heard, closing=True)


def _said(turn: Turn, text: str, **changes: object) -> Answer:
    return Answer("courtesy", text, understood(turn.talk, **changes), turn.heard)


def _goodbye(turn: Turn, text: str = phrases.GOODBYE) -> Answer:
    return Answer("close", text, understood(turn.talk), turn.heard, action=EndCall())
