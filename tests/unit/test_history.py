"""What the dialog is told of a call."""

from __future__ import annotations

import pytest

from dialog import Basis, Message
from voice.history import History

pytestmark = [pytest.mark.unit]


def test_words_are_kept_as_they_are_written_and_as_they_sounded() -> None:
    history = History()
    history.caller_said("人民路18号", 0.9, "人民路十八号")
    (message,) = history.messages
    assert (message.text, message.said) == ("人民路18号", "人民路十八号")
    assert Message("caller", "你好").said == "你好"


def test_a_number_said_in_two_halves_is_whole_as_it_sounded() -> None:
    history = History()
    history.caller_said("罚了我100", 0.9, "罚了我一百")
    history.caller_said("20块", 0.8, "二十块")
    assert history.messages == (Message("caller", "罚了我10020块", 0.8, heard="罚了我一百二十块"),)


def test_halves_that_needed_no_writing_have_one_form() -> None:
    history = History()
    history.caller_said("我想问")
    history.caller_said("社保")
    history.agent_said("您好", Basis(1.0))
    history.caller_said("我住", 0.9)
    history.caller_said("8号", 0.7, "八号")
    assert history.messages == (
        Message("caller", "我想问社保"),
        Message("agent", "您好"),
        Message("caller", "我住8号", 0.7, heard="我住八号"),
    )
