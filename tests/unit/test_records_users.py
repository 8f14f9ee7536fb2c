"""Accounts: locked after wrong passwords on any node, a second factor whose codes work once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pyotp
import pytest

from records import CHINA, Conflict, NotFound
from records.accounts import Admission, lock_s
from records.store import Store
from records.users import hash_password

pytestmark = [pytest.mark.unit]

NOON = datetime(2025, 3, 9, 12, 0, tzinfo=CHINA)
PASSWORD = "a password of Li"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/hotline.db"


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    store = Store(url, clock=clock)
    store.add_user("li", "ops", PASSWORD)
    yield store
    store.close()


def try_in(store: Store, password: str = PASSWORD, code: str | None = "", name: str = "li") -> Admission:
    return store.accounts.admit(store.accounts.prove(name, password), code)


def wrong(store: Store, times: int) -> None:
    for _ in range(times):
        assert try_in(store, "wrong").user is None


def code_at(secret: str, moment: datetime) -> str:
    return pyotp.TOTP(secret).at(moment)


def with_totp(store: Store, clock: Clock) -> str:
    secret = store.accounts.begin_totp("li")
    assert store.accounts.confirm_totp("li", code_at(secret, clock.now))
    clock.advance(30)
    return secret


def test_a_lock_doubles_from_a_minute_to_an_hour() -> None:
    assert [lock_s(n) for n in range(13)] == [0, 0, 0, 0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert lock_s(10_000) == 3600


def test_five_wrong_passwords_lock_for_a_minute_and_the_next_for_two(store: Store, clock: Clock) -> None:
    wrong(store, 4)
    assert try_in(store).user
    wrong(store, 5)
    assert try_in(store) == (None, "locked")
    clock.advance(59.9)
    assert try_in(store) == (None, "locked")
    clock.advance(0.2)
    wrong(store, 1)
    clock.advance(119)
    assert try_in(store) == (None, "locked")
    clock.advance(2)
    assert try_in(store).user
    wrong(store, 4)  # counted from the start again
    assert try_in(store).user


def test_what_is_tried_while_locked_is_not_counted(store: Store, clock: Clock) -> None:
    wrong(store, 25)
    clock.advance(61)
    assert try_in(store).user


def test_a_lock_is_that_of_all_nodes_and_outlives_them(store: Store, url: str, clock: Clock) -> None:
    other = Store(url, clock=clock)
    wrong(store, 3)
    wrong(other, 2)
    assert try_in(store) == (None, "locked")
    other.close()
    restarted = Store(url, clock=clock)
    assert try_in(restarted) == (None, "locked")
    assert restarted.accounts.get("li")["locked_until"] == "2025-03-09T04:01:00.000Z"
    restarted.accounts.unlock("li")
    assert try_in(store).user
    assert store.accounts.get("li")["locked_until"] is None
    restarted.close()


def test_no_wrong_password_of_many_at_once_goes_uncounted(store: Store, url: str, clock: Clock) -> None:
    nodes = [Store(url, clock=clock) for _ in range(3)]
    together = threading.Barrier(3)

    def guess(node: Store) -> None:
        proof = node.accounts.prove("li", "wrong")
        together.wait(20)
        for _ in range(2):
            node.accounts.admit(proof)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(guess, nodes))
    assert try_in(store) == (None, "locked")
    for node in nodes:
        node.close()


def test_a_name_that_does_not_exist_is_a_wrong_password_for_ever(store: Store) -> None:
    for _ in range(8):
        assert try_in(store, name="nobody") == (None, "password")
    with pytest.raises(NotFound):
        store.accounts.unlock("nobody")


def test_a_proof_is_worth_nothing_after_the_password_was_changed(store: Store) -> None:
    proof = store.accounts.prove("li", PASSWORD)
    store.set_password("li", "another password")
    assert store.accounts.admit(proof) == (None, "password")


def test_a_second_factor_is_asked_for_once_it_was_confirmed(store: Store, clock: Clock) -> None:
    secret = store.accounts.begin_totp("li")
    assert try_in(store).user
    assert not store.accounts.confirm_totp("li", "000000")
    assert not store.accounts.get("li")["totp"]
    secret = store.accounts.begin_totp("li")  # begun anew: the other one is void
    assert store.accounts.confirm_totp("li", code_at(secret, clock.now))
    assert store.accounts.get("li")["totp"]
    clock.advance(30)
    assert try_in(store) == (None, "code_missing")
    assert try_in(store, "wrong", code_at(secret, clock.now)) == (None, "password")
    assert try_in(store, code=None).user  # where it is not asked for, as when changing the password
    code = code_at(secret, clock.now)
    assert try_in(store, code=f"{code[:3]} {code[3:]}").user
    with pytest.raises(Conflict, match="on already"):
        store.accounts.begin_totp("li")
    with pytest.raises(Conflict, match="begin one first"):
        store.accounts.confirm_totp("li", code)
    store.accounts.drop_totp("li")
    assert try_in(store).user


def test_a_code_is_taken_once_and_no_older_one_after_it(store: Store, clock: Clock) -> None:
    secret = store.accounts.begin_totp("li")
    first = code_at(secret, clock.now)
    assert store.accounts.confirm_totp("li", first)
    assert try_in(store, code=first) == (None, "code")
    ahead = code_at(secret, clock.now + timedelta(seconds=30))  # a telephone whose clock is fast
    assert try_in(store, code=ahead).user
    clock.advance(30)
    assert try_in(store, code=ahead) == (None, "code")
    clock.advance(60)
    late = code_at(secret, clock.now - timedelta(seconds=30))
    far = code_at(secret, clock.now - timedelta(seconds=60))
    assert try_in(store, code=far) == (None, "code")
    assert try_in(store, code=late).user


def test_of_two_who_send_the_same_code_one_comes_in(store: Store, url: str, clock: Clock) -> None:
    secret = with_totp(store, clock)
    other = Store(url, clock=clock)
    proof, code = store.accounts.prove("li", PASSWORD), code_at(secret, clock.now)
    together = threading.Barrier(2)

    def come_in(node: Store) -> bool:
        together.wait(20)
        return node.accounts.admit(proof, code).user is not None

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(come_in, (store, other))) == [False, True]
    other.close()


def test_wrong_codes_lock_as_wrong_passwords_do(store: Store, clock: Clock) -> None:
    secret = with_totp(store, clock)
    for _ in range(7):  # a missing one is how every sign-in begins
        assert try_in(store).reason == "code_missing"
    for _ in range(5):
        assert try_in(store, code="12345x").reason == "code"
    assert try_in(store, code=code_at(secret, clock.now)) == (None, "locked")


def test_no_list_holds_a_secret(store: Store, clock: Clock) -> None:
    secret = with_totp(store, clock)
    assert store.accounts.all() == [store.accounts.get("li")]
    assert set(store.accounts.get("li")) == {
        "name",
        "role",
        "must_change",
        "locked_until",
        "totp",
        "created_at",
    }
    assert secret not in str(store.accounts.all()) + str(store.users())


def test_a_new_role_or_one_time_password_ends_sessions(store: Store) -> None:
    token = store.open_session("li", 60)
    store.accounts.set_role("li", "seat")
    assert store.session_user(token) is None
    token = store.open_session("li", 60)
    wrong(store, 5)
    store.accounts.set_password("li", hash_password("given for one time"), must_change=True)
    assert store.session_user(token) is None
    assert try_in(store, "given for one time") == (("li", "seat", True), "")
    token = store.open_session("li", 60)
    store.accounts.remove("li")
    assert store.session_user(token) is None
    for gone in (
        lambda: store.accounts.get("li"),
        lambda: store.accounts.remove("li"),
        lambda: store.accounts.set_role("li", "ops"),
        lambda: store.accounts.begin_totp("li"),
    ):
        with pytest.raises(NotFound, match="no user li"):
            gone()
    with pytest.raises(ValueError, match="right is one of seat, ops, admin"):
        store.accounts.set_role("li", "boss")


def test_the_last_admin_stays_one(store: Store, url: str) -> None:
    store.add_user("first", "admin", "a password of admins")
    for removed in (store.accounts.remove, lambda name: store.accounts.set_role(name, "ops")):
        with pytest.raises(Conflict, match="first is the last admin"):
            removed("first")
    store.accounts.set_role("first", "admin")
    store.add_user("second", "admin", "a password of admins")
    other = Store(url)
    together = threading.Barrier(2)

    def remove(node: Store, name: str) -> str:
        together.wait(20)
        try:
            node.accounts.remove(name)
        except Conflict:
            return "refused"
        return "removed"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, (store, other), ("first", "second"))) == ["refused", "removed"]
    other.close()


@pytest.mark.parametrize("name", ["", " li", "cli:root", "api-token", "a/b", "..", "a\nb", "李" * 101])
def test_names_that_could_be_somebody_else_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match=r"a name|the name|called"):
        store.add_user(name, "seat", "long enough pw")
