"""What the agent's last words ask for; that tells how long to wait until the caller has said it all."""

from __future__ import annotations

import re

from dialog import Expects, phrases
from dialog.progress import TICKET_DIGITS
from dialog.slots import expects
from dialog.talk import Answer

# What a question asks for by its words; the first that matches is meant. 还有别的问题吗 asks for the next
# matter, whatever it is, 方便留个号码吗 for the number.
_ASKS: tuple[tuple[Expects, re.Pattern[str]], ...] = (
    ("anything", re.compile("还有.*(?:问题|事|什么|需要)|(?:可以|能)帮")),
    ("yes_no", re.compile("(?:对吗|对不对|是不是|是吧|对吧|好吗|可以吗|好不好|没错吧)$")),
    ("yes_no", re.compile("^(?!.*(?:方便|能|可以).*(?:留|说|提供|告诉|报)).*吗$")),
    ("digits", re.compile("号码|编号|单号|证号|卡号|手机号|电话|联系方式")),
    ("name", re.compile("贵姓|姓名|名字|怎么称呼|如何称呼|您姓什么|叫什么")),
    ("time", re.compile("什么时候|什么时间|几点|哪天|哪一天|几月|几号|何时|具体时间")),
    (
        "place",
        re.compile("地址|地点|哪里|哪儿|什么地方|什么位置|具体位置|哪条|哪个(?:区|小区|路口?|街道?|村|社区)"),
    ),
    ("matter", re.compile("什么情况|什么问题|什么事|具体情况|详细情况|怎么回事")),
)
_SENTENCE = re.compile("[^。！？；!?;\n]+[。！？；!?;\n]*")
_REQUEST = re.compile("请您?(?:说|讲|告诉|提供|报|再|留|问)|麻烦您|方便.*吗")


def expected(answer: Answer, caller: str) -> tuple[Expects, int]:
    """What the embedded dialog's reply asks for, and how many digits where it is a number (0: not known).

    `caller` is the number called from, "" when withheld. A telephone number has no length to count on: there
    are mobiles and landlines with and without their area code.
    """
    talk, intake = answer.talk, answer.talk.intake
    if answer.action or answer.text.endswith(phrases.GO_AHEAD):
        return "anything", 0
    if intake:
        match intake.asking:
            case "contact":
                return ("yes_no" if caller and not intake.contact_refused else "digits"), 0
            case "confirm" | "join":
                return "yes_no", 0
            case "change" | "filing":
                return "anything", 0
            case slot:
                return expects(slot), 0
    match talk.awaiting:
        case "ticket_number":
            return "digits", TICKET_DIGITS
        case "offer" | "confirm" | "satisfaction":
            return "yes_no", 0
        case "ticket_name":
            return "name", 0
        case _:
            return "anything", 0


def asked_in(text: str) -> Expects:
    """What these words ask for, as far as they show: for words that were not decided on here.

    Only their last question counts, or a request (请您说一下…); a remark after it (不方便说也没关系) does not
    hide it.
    """
    for sentence in reversed(_SENTENCE.findall(text.strip())[-2:]):
        words = sentence.rstrip("。！？；!?;\n")
        if "？" in sentence or "?" in sentence or _REQUEST.search(words):
            return next((expects for expects, asks in _ASKS if asks.search(words)), "anything")
    return "anything"
