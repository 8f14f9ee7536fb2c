"""A seat's page in a browser, and calls that come to it as voice/ makes them come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from dialog import Summary
from voice.events import CallAnswered, CallEnded, CallStarted, Happened, TransferUpdated, Turn

from .browsing import Page
from .conftest import PASSWORD
from .desk_node import DeskNode

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


@dataclass
class Elsewhere:
    """A node of another process, known by the address of its desk."""

    url: str


class SeatPage(Page):
    """A window in which a seat works; `account` sits at `seat`."""

    def __init__(
        self, browser: webdriver.Chrome, node: DeskNode | Elsewhere, account: str, seat: str
    ) -> None:
        super().__init__(browser, node.url)
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


def call_comes(node: DeskNode, call_id: str, recording: str = "") -> None:
    """A caller who has talked to the agent for a while and shall now have a person."""
    began = datetime.now(timezone.utc) - timedelta(seconds=60)
    node.emit(CallStarted(call_id, "13800000002", "12345", began, recording), CallAnswered(call_id, began))
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
