"""What a caller's line may do in a call besides talking: keys as gateways really send them, and REFER."""

from __future__ import annotations

import time

import pytest

from tests.sip.agent import Agent, kinds
from tests.sip.plain import loopback_socket
from tests.sip.plain_caller import PlainCaller

pytestmark = [pytest.mark.sip]


@pytest.mark.parametrize("marker", [True, False])
def test_key_0_asks_for_a_person_also_without_the_marker_bit(agent: Agent, marker: bool) -> None:
    number = f"1320000000{marker:d}"
    with PlainCaller(agent.address, number) as caller:
        answer = caller.dial()
        time.sleep(1)
        caller.press("0", answer.event_payload, marker=marker)
        agent.until_event(number, "transfer_started")
    call = agent.record(number)
    assert kinds(call).count("dtmf") == 1, "one key, however often its packets are sent"
    assert call["transfer"]["reason"] == "caller_asked"


def test_whom_we_call_is_not_for_a_caller_to_say(agent: Agent) -> None:
    with loopback_socket() as victim, PlainCaller(agent.address, "13200000002") as caller:
        caller.dial()
        caller.send("REFER", headers="Refer-To: <sip:1@{}:{}>".format(*victim.getsockname()))
        assert caller.response("REFER").status >= 400
        victim.settimeout(1)
        with pytest.raises(TimeoutError):
            victim.recv(100)
        caller.hang_up()
    assert agent.record("13200000002")
