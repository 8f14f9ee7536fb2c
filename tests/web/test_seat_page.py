"""The seat's page in a real browser: the pop, the talk, the work order, a lost connection, another node."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from dialog import Summary
from voice.events import CallAnswered, CallEnded, CallStarted, Happened, TransferUpdated, Turn

from .browsing import MISSING, Page, chromium
from .conftest import PASSWORD
from .desk_node import DeskNode, desk_node

pytestmark = [
    pytest.mark.web,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

SUMMARY = Summary(
    caller="李女士（13800000002）",
    request="中山路88号工地夜间施工噪音大，已连续三晚",
    place="中山路88号",
    time="昨晚十一点以后",
    category="施工噪音",
    department="城市管理局",
    answered=("夜间施工的许可时间",),
    open_points=("未答复：噪音超标怎么处罚",),
    mood="着急",
)
SAID = (
    ("agent", "您好，这里是12345政务服务热线，请问有什么可以帮您？"),
    ("caller", "中山路88号那个工地天天半夜施工，吵得睡不着"),
    ("agent", "夜间二十二点到次日六点，没有许可不能施工。您反映的情况我可以帮您登记。"),
    ("caller", "这种噪音超标怎么处罚？给我转人工"),
)


def search(_query: str, _limit: int) -> list[dict[str, Any]]:
    answer = "夜间施工噪音超标的，由城市管理部门责令改正，可以并处罚款。"
    return [{"id": "noise", "question": "施工噪音超标怎么处罚？", "answer": answer, "score": 0.9}]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DeskNode, DeskNode]]:
    """Two nodes on one database, with two seats and an account for each."""
    folder = tmp_path_factory.mktemp("seats")
    url = f"sqlite:///{folder}/hotline.db"
    with desk_node("n1", url, folder, search) as first, desk_node("n2", url, folder, search) as second:
        for user in ("chen", "wang"):
            first.store.add_user(user, "seat", PASSWORD)
        for seat, name in (("8001", "小陈"), ("8002", "小王")):
            uri = f"sip:{seat}@127.0.0.1"
            first.store.seed_seats([{"id": seat, "name": name, "uri": uri, "skills": ["城管"]}])
        yield first, second


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


class SeatPage(Page):
    """A window in which a seat works; `account` sits at `seat`."""

    def __init__(self, browser: webdriver.Chrome, node: DeskNode, account: str, seat: str) -> None:
        super().__init__(browser, node.url)
        self.node = node
        self.open("/login")
        browser.delete_all_cookies()
        self.open("/")
        self.fill("#sign-in", name=account, password=PASSWORD)
        self.until(lambda: browser.current_url == f"{node.url}/seat")  # where a seat lands
        self.until(lambda: self.shown("#desk") or self.shown("#seats button"))
        if not self.shown("#desk"):
            next(button for button in self.all("#seats button") if seat in button.text).click()
        self.until(lambda: self.shown("#desk"))
        self.until(lambda: "up" in self.one("#live").get_attribute("class").split())
        self.problems()  # forget the 401 that led to the sign-in page
        self.browser.execute_script("window.neverReloaded = true")

    def shown(self, selector: str) -> bool:
        return any(element.is_displayed() for element in self.all(selector))

    def press(self, *keys: str) -> None:
        self.one("body").send_keys(*keys)

    def status(self) -> str:
        return str(self.one("#status").text)

    def go_free(self) -> None:
        if self.status() != "空闲":
            self.press(Keys.F8)
        self.until(lambda: self.status() == "空闲")


@pytest.fixture
def seat(browser: webdriver.Chrome, nodes: tuple[DeskNode, DeskNode]) -> Iterator[SeatPage]:
    """Chen at the seat 8001, on the first node, free."""
    page = SeatPage(browser, nodes[0], "chen", "8001")
    page.go_free()
    yield page
    assert page.problems() == []
    assert page.browser.execute_script("return window.neverReloaded") is True
    page.node.store.set_seat_status("8001", "away")
    page.node.store.set_seat_status("8002", "away")


def call_comes(node: DeskNode, call_id: str) -> None:
    """A caller who has talked to the agent for a while and shall now have a person."""
    began = datetime.now(timezone.utc) - timedelta(seconds=60)
    node.emit(CallStarted(call_id, "13800000002", "12345", began, ""), CallAnswered(call_id, began))
    for index, (who, text) in enumerate(SAID):
        node.emit(Turn(call_id, index, who, text, 8.0 * index, 8.0 * index + 6))  # type: ignore[arg-type]
    node.emit(
        Happened(call_id, 32.0, "transfer_started", {"reason": "caller_asked"}),
        TransferUpdated(call_id, "caller_asked", SUMMARY),
    )


def rings(node: DeskNode, call_id: str, seat_id: str) -> None:
    """The call claims the seat and rings it, as voice/transfer.py does; returns when both are asked for."""
    claimed = node.do(node.store.queue.claim, "城管", call_id, node=node.name).seat
    assert claimed is not None
    assert claimed["id"] == seat_id
    node.emit(Happened(call_id, 34.0, "seat_ringing", {"seat": seat_id}))


def talks(node: DeskNode, call_id: str, seat_id: str) -> None:
    node.do(node.store.set_seat_status, seat_id, "talking")
    node.emit(Happened(call_id, 38.0, "bridged", {"seat": seat_id}))


def ends(node: DeskNode, call_id: str, seat_id: str, outcome: str = "connected") -> None:
    node.emit(Happened(call_id, 90.0, "unbridged", {"by": "caller_gone", "seat": seat_id}))
    node.emit(TransferUpdated(call_id, "caller_asked", SUMMARY, seat_id, outcome))
    node.emit(CallEnded(call_id, datetime.now(timezone.utc), "transferred", "transferred"))
    node.do(node.store.release_seat, seat_id, "wrap_up")


def seat_row(node: DeskNode, seat_id: str) -> dict[str, Any]:
    return next(row for row in node.store.seats() if row["id"] == seat_id)


def assert_summary_is_whole(seat: SeatPage) -> None:
    facts = seat.one("#summary").text
    wanted = (
        "李女士",
        "昨晚十一点以后",
        "施工噪音",
        "城市管理局",
        "夜间施工的许可时间",
        "噪音超标怎么处罚",
        "着急",
    )
    assert [words for words in wanted if words not in facts] == []


def assert_talk_is_followed(seat: SeatPage) -> None:
    node = seat.node
    node.emit(Turn("one", 4, "seat", "李女士您好，我是小陈", 40.0))
    seat.until(lambda: seat.texts("#turns .turn.seat .text") == ["李女士您好，我是小陈"])
    node.emit(Turn("one", 4, "seat", "李女士您好，我是小陈，工地噪音的事我来处理", 40.0, 43.0))
    node.emit(Turn("one", 5, "caller", "<b>好的</b>", 44.0, 45.0))
    seat.until(
        lambda: (
            [t.text for t in seat.all("#turns .turn .text")][4:]
            == ["李女士您好，我是小陈，工地噪音的事我来处理", "<b>好的</b>"]
        )
    )
    passages = [{"id": "p", "question": "夜间施工找谁", "answer": "城管部门", "source": "条例", "score": 0.8}]
    node.emit(Happened("one", 46.0, "suggestion", {"passages": passages}))
    seat.until(lambda: "夜间施工找谁" in seat.one("#advice").text)


def title_typed_over_the_draft(seat: SeatPage) -> WebElement:
    """What was typed stays, what was not follows the draft; gives the title's field."""
    order = seat.one("#order")
    assert order.find_element("name", "category").get_attribute("value") == "施工噪音"
    title = order.find_element("name", "title")
    title.clear()
    title.send_keys("中山路88号工地夜间施工扰民")
    seat.node.publish(
        {
            "kind": "draft",
            "call_id": "one",
            "title": "别的标题",
            "urgency": "urgent",
            "slots": {"name": "李芳"},
        }
    )
    seat.until(lambda: order.find_element("name", "name").get_attribute("value") == "李芳")
    assert title.get_attribute("value") == "中山路88号工地夜间施工扰民"  # what was typed stays
    return title


def test_a_seat_takes_a_call_talks_and_files_the_work_order(seat: SeatPage) -> None:
    node = seat.node
    node.store.save_call("earlier", caller="13800000002", started_at="2025-01-02T03:04:05Z")
    node.store.save_turn("earlier", 0, who="caller", text="路灯坏了没人修", started_s=1.0)
    number = node.store.file_ticket(
        "before", call_id=None, caller="13800000002", category="市政设施", department="市政处",
        urgency="normal", title="路灯不亮", text="", slots={},
    )  # fmt: skip
    call_comes(node, "one")
    rings(node, "one", "8001")
    seat.until(lambda: seat.shown("#pop"))
    seat.until(lambda: "中山路88号工地夜间施工" in seat.one("#pop").text)
    assert seat.status() == "来电振铃"
    seat.until(lambda: "13800000002" in seat.one("#pop-title").text)
    assert_summary_is_whole(seat)
    seat.until(lambda: len(seat.all("#turns .turn")) == len(SAID))
    assert seat.texts("#turns .turn .who") == ["智能助手", "市民", "智能助手", "市民"]
    seat.until(lambda: number in seat.one("#history").text and "路灯坏了没人修" in seat.one("#history").text)

    seat.press(Keys.F2)
    seat.until(lambda: node.store.seat_verdict("8001") == "accepted")
    seat.until(lambda: "请拿起电话" in seat.one("#pop-request").text)
    talks(node, "one", "8001")
    seat.until(lambda: seat.status() == "通话中" and not seat.shown("#pop"))

    assert_talk_is_followed(seat)
    title = title_typed_over_the_draft(seat)
    ends(node, "one", "8001")
    seat.until(lambda: seat.status() == "整理中" and "剩余" in seat.one("#clock").text)
    title.send_keys(Keys.CONTROL, Keys.ENTER)
    seat.until(lambda: seat.one("#filed").text.startswith("已提交 工单"))
    filed = node.store.ticket(seat.one("#filed").text.split()[-1])
    assert filed is not None
    assert (filed["call_id"], filed["title"], filed["urgency"]) == (
        "one",
        "中山路88号工地夜间施工扰民",
        "urgent",
    )
    assert filed["slots"] == {"place": "中山路88号", "name": "李芳", "contact": "13800000002"}
    assert filed["department"] == "城市管理局"

    seat.press(Keys.F8)
    seat.until(lambda: seat.status() == "空闲" and seat.shown("#today"))
    seat.until(
        lambda: any("13800000002" in row and "已接通" in row for row in seat.texts("#my-calls tbody tr"))
    )


def test_the_next_call_is_declined_by_its_key(seat: SeatPage) -> None:
    call_comes(seat.node, "two")
    rings(seat.node, "two", "8001")
    seat.until(lambda: seat.shown("#pop"))
    seat.press(Keys.ALT, "d", Keys.NULL)
    seat.until(lambda: seat.node.store.seat_verdict("8001") == "declined")
    seat.until(lambda: "已拒接" in seat.one("#pop-request").text)
    ends(seat.node, "two", "8001", "declined")
    seat.until(lambda: seat.status() == "整理中" and not seat.shown("#pop"))
    seat.press(Keys.F8)
    seat.until(lambda: seat.status() == "空闲")


def test_what_a_seat_wants_in_a_call_reaches_it(seat: SeatPage) -> None:
    node = seat.node
    call_comes(node, "three")
    rings(node, "three", "8001")
    seat.until(lambda: seat.shown("#pop"))
    talks(node, "three", "8001")
    seat.until(lambda: seat.shown("#hold"))
    seat.press(Keys.F9)
    seat.until(lambda: "正在保持" in seat.one("#notice").text)
    node.emit(Happened("three", 50.0, "seat_held", {"seat": "8001"}))
    seat.until(lambda: seat.one("#hold").text.startswith("恢复"))
    seat.one("#three").click()
    seat.fill("#three-form", number="6688-1234")
    seat.until(lambda: not seat.shown("#three-form"))
    node.emit(Happened("three", 55.0, "third_party", {"joined": True, "seat": "8001"}))
    seat.until(lambda: seat.one("#three").text == "结束三方")
    seat.one("#three").click()
    seat.until(lambda: "请第三方离开" in seat.one("#notice").text)
    node.store.set_seat_status("8002", "free")
    seat.one("#send-on").click()
    seat.until(lambda: "小王" in seat.one("#send-form select").text)
    seat.one("#send-form button").click()
    seat.until(lambda: not seat.shown("#send-form"))
    seat.one("#hand-back").click()
    seat.until(lambda: "转回智能助手" in seat.one("#notice").text)
    taken = [(command["action"], command["detail"]) for command in node.store.commands.take("three")]
    assert taken == [
        ("hold", {}),
        ("add", {"uri": "sip:66881234@127.0.0.1"}),
        ("drop", {}),
        ("send_on", {"seat": "8002"}),
        ("hand_back", {}),
    ]
    ends(node, "three", "8001")
    seat.until(lambda: seat.status() == "整理中")


def test_a_lost_connection_is_told_and_recovered_from(seat: SeatPage) -> None:
    node = seat.node
    call_comes(node, "four")
    rings(node, "four", "8001")
    seat.until(lambda: seat.shown("#pop"))
    talks(node, "four", "8001")
    seat.until(lambda: seat.status() == "通话中")
    seat.one("#order [name=text]").send_keys("还没有提交的话")
    node.stop()
    seat.until(lambda: seat.shown("#offline"))
    node.store.save_turn("four", 4, who="seat", text="断线的时候说的话", started_s=40.0, ended_s=42.0)
    node.store.release_seat("8001", "wrap_up")
    node.start()
    seat.until(lambda: not seat.shown("#offline"), 20)
    seat.until(lambda: seat.status() == "整理中")
    seat.until(lambda: "断线的时候说的话" in seat.one("#turns").text)
    assert "还没有提交的话" in seat.one("#order [name=text]").get_attribute("value")
    seat.until(lambda: "up" in seat.one("#live").get_attribute("class").split(), 20)
    assert all("ERR_CONNECTION" in line or "ERR_INCOMPLETE" in line for line in seat.problems())


def test_a_reload_finds_the_call_and_what_was_typed(seat: SeatPage) -> None:
    node = seat.node
    call_comes(node, "five")
    rings(node, "five", "8001")
    seat.until(lambda: seat.shown("#pop"))
    talks(node, "five", "8001")
    seat.until(lambda: seat.status() == "通话中")
    seat.one("#order [name=title]").send_keys("（补充）")
    seat.browser.refresh()
    seat.until(lambda: seat.shown("#turns .turn") and seat.status() == "通话中")
    assert seat.one("#order [name=title]").get_attribute("value").endswith("（补充）")
    assert "着急" in seat.one("#summary").text
    seat.browser.execute_script("window.neverReloaded = true")
    ends(node, "five", "8001")
    seat.until(lambda: seat.status() == "整理中")


def test_a_missing_field_is_told_and_the_knowledge_base_is_searched(seat: SeatPage) -> None:
    node = seat.node
    call_comes(node, "six")
    rings(node, "six", "8001")
    seat.until(lambda: len(seat.all("#turns .turn")) == len(SAID))
    seat.one("#order [name=title]").clear()
    seat.one("#order [name=title]").send_keys(Keys.CONTROL, Keys.ENTER)
    seat.until(lambda: seat.one("#order-error").text == "请填写标题。")
    seat.press(Keys.ALT, "k", Keys.NULL)
    seat.browser.switch_to.active_element.send_keys("噪音处罚", Keys.ENTER)
    seat.until(lambda: "施工噪音超标怎么处罚" in seat.one("#advice").text)
    ends(node, "six", "8001", "no_answer")
    seat.until(lambda: seat.status() == "整理中")


def test_a_seat_at_another_node_sees_the_claim(
    browser: webdriver.Chrome, nodes: tuple[DeskNode, DeskNode]
) -> None:
    first, second = nodes
    page = SeatPage(browser, second, "wang", "8002")
    page.go_free()
    assert seat_row(first, "8002")["user"] == "wang"
    call_comes(first, "seven")  # the call runs on the first node, the page is the second's
    rings(first, "seven", "8002")
    page.until(lambda: page.shown("#pop"))
    page.until(lambda: "中山路88号工地夜间施工" in page.one("#pop-request").text)
    page.one("#accept").click()
    page.until(lambda: first.store.seat_verdict("8002") == "accepted")
    talks(first, "seven", "8002")
    page.until(lambda: page.status() == "通话中")
    first.emit(Turn("seven", 4, "seat", "您好，我是小王", 40.0, 42.0))
    page.until(lambda: "您好，我是小王" in page.one("#turns").text)
    ends(first, "seven", "8002")
    page.until(lambda: page.status() == "整理中")
    assert page.problems() == []
