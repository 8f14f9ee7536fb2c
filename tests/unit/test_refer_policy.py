"""Every exit of a hand-over to the PBX's queue, by next() and send(): steps asked for and results."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dialog import Summary, phrases
from tests.unit.policy_script import follow
from voice.policies import (
    Bridge,
    DialQueue,
    Music,
    Outcome,
    Policy,
    PromiseCallback,
    Refer,
    ReleaseSeat,
    Replace,
    Step,
    StepResult,
    TellCaller,
    TransferRequest,
)
from voice.policies.refer import HANDOVERS, dial, refer, replaces

pytestmark = [pytest.mark.unit]

R = StepResult
Asked = tuple[Step, StepResult]
Script = Sequence[Asked]

MUSIC: Asked = (Music(), R.DONE)
ANSWERED: Asked = (DialQueue(), R.ANSWERED)
RELEASED: Asked = (ReleaseSeat(), R.DONE)
GOODBYE: Asked = (TellCaller(phrases.GOODBYE), R.DONE)
ONCE_MORE: Asked = (TellCaller(phrases.SEAT_DID_NOT_ANSWER), R.DONE)
SORRY: list[Asked] = [(PromiseCallback(), R.DONE), (TellCaller(phrases.TRANSFER_FAILED), R.DONE)]
CALLER_GONE = Outcome("caller_gone", caller_gone=True)
FAILURES = [R.BUSY, R.DECLINED, R.NO_ANSWER, R.UNREACHABLE]
each_failure = pytest.mark.parametrize("failure", FAILURES)


def play(policy: Policy, script: Script) -> Outcome:
    return follow(policy(TransferRequest(Summary(request="路灯不亮"))), script)


def gone(step: Step) -> Asked:
    return step, R.CALLER_GONE


def test_every_way_of_handing_over_has_its_name() -> None:
    assert dict(HANDOVERS) == {"refer": refer, "replaces": replaces, "dial": dial}


# -- connected -----------------------------------------------------------------------------------------------


def test_refer_is_taken() -> None:
    assert play(refer, [MUSIC, (Refer(), R.TRANSFERRED)]) == Outcome("connected")


def test_replaces_is_taken_and_the_queue_let_go() -> None:
    assert play(replaces, [MUSIC, ANSWERED, (Replace(), R.TRANSFERRED), RELEASED]) == Outcome("connected")


@each_failure
def test_replaces_is_not_taken_and_the_two_are_bridged(failure: StepResult) -> None:
    script = [MUSIC, ANSWERED, (Replace(), failure), (Bridge(), R.SEAT_GONE), RELEASED, GOODBYE]
    assert play(replaces, script) == Outcome("connected")


def test_the_dialled_queue_talks_to_the_caller_until_one_hangs_up() -> None:
    assert play(dial, [MUSIC, ANSWERED, (Bridge(), R.SEAT_GONE), RELEASED, GOODBYE]) == Outcome("connected")
    script = [MUSIC, ANSWERED, gone(Bridge()), RELEASED]
    assert play(dial, script) == Outcome("connected", caller_gone=True)


# -- failed --------------------------------------------------------------------------------------------------


def test_a_refer_that_is_not_taken_is_followed_by_a_dialled_queue_at_once() -> None:
    script = [MUSIC, (Refer(), R.UNREACHABLE), MUSIC, ANSWERED, gone(Bridge()), RELEASED]
    assert play(refer, script) == Outcome("connected", caller_gone=True)


@pytest.mark.parametrize("failure", [R.BUSY, R.DECLINED, R.NO_ANSWER])
def test_a_refer_that_was_in_vain_is_told_before_the_queue_is_dialled(failure: StepResult) -> None:
    script = [MUSIC, (Refer(), failure), ONCE_MORE, MUSIC, ANSWERED, gone(Bridge()), RELEASED]
    assert play(refer, script) == Outcome("connected", caller_gone=True)


@each_failure
@pytest.mark.parametrize(
    ("policy", "before"),
    [(dial, []), (replaces, []), (refer, [MUSIC, (Refer(), R.UNREACHABLE)])],
    ids=["dial", "replaces", "refer"],
)
def test_a_queue_that_cannot_be_had_ends_in_a_promise(
    policy: Policy, before: Script, failure: StepResult
) -> None:
    script = [*before, MUSIC, (DialQueue(), failure), RELEASED, *SORRY]
    assert play(policy, script) == Outcome(failure.value)


@pytest.mark.parametrize(
    ("policy", "before"), [(dial, []), (replaces, [(Replace(), R.UNREACHABLE)])], ids=["dial", "replaces"]
)
def test_a_queue_that_is_lost_while_it_is_joined_ends_in_a_promise(policy: Policy, before: Script) -> None:
    script = [MUSIC, ANSWERED, *before, (Bridge(), R.UNREACHABLE), MUSIC, RELEASED, *SORRY]
    assert play(policy, script) == Outcome("unreachable")


@pytest.mark.parametrize(
    ("policy", "before"), [(dial, []), (replaces, [(Replace(), R.UNREACHABLE)])], ids=["dial", "replaces"]
)
def test_a_caller_who_is_lost_while_being_joined_is_promised_nothing(policy: Policy, before: Script) -> None:
    script = [MUSIC, ANSWERED, *before, (Bridge(), R.UNREACHABLE), (Music(), R.CALLER_GONE), RELEASED]
    assert play(policy, script) == Outcome("caller_gone", caller_gone=True)


def test_a_promise_that_cannot_be_kept_is_not_given() -> None:
    script = [
        MUSIC,
        (DialQueue(), R.BUSY),
        RELEASED,
        (PromiseCallback(), R.UNREACHABLE),
        (TellCaller(phrases.BUSY_GOODBYE), R.DONE),
    ]
    assert play(dial, script) == Outcome("busy")


# -- the caller does not wait --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "script"),
    [
        (refer, [MUSIC, gone(Refer())]),
        (refer, [MUSIC, (Refer(), R.BUSY), gone(TellCaller(phrases.SEAT_DID_NOT_ANSWER))]),
        (refer, [MUSIC, (Refer(), R.UNREACHABLE), gone(Music()), RELEASED]),
        (refer, [MUSIC, (Refer(), R.UNREACHABLE), MUSIC, gone(DialQueue()), RELEASED]),
        (dial, [gone(Music()), RELEASED]),
        (dial, [MUSIC, gone(DialQueue()), RELEASED]),
        (replaces, [gone(Music()), RELEASED]),
        (replaces, [MUSIC, gone(DialQueue()), RELEASED]),
        (replaces, [MUSIC, ANSWERED, gone(Replace()), RELEASED]),
    ],
)
def test_the_caller_hangs_up_and_no_leg_is_kept(policy: Policy, script: Script) -> None:
    assert play(policy, script) == CALLER_GONE


def test_the_caller_hangs_up_during_the_apology() -> None:
    script = [MUSIC, (DialQueue(), R.BUSY), RELEASED, SORRY[0], gone(TellCaller(phrases.TRANSFER_FAILED))]
    assert play(dial, script) == Outcome("busy", caller_gone=True)
