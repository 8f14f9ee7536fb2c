"""Call-backs, seats and messages to the city's system, kept by ops and admins in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from records import CHINA

from .browsing import MISSING, Page, actions, chromium, noticed, press, row_of, signed_in
from .conftest import Desk

pytestmark = [
    pytest.mark.web,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
TICKET = {"call_id": None, "caller": "1", "category": "", "department": "", "urgency": "normal", "slots": {}}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


def choose(page: Page, selector: str, value: str) -> None:
    page.one(f"{selector} option[value='{value}']").click()


def promise(desk: Desk, number: str, request: str, **more: Any) -> str:
    given: dict[str, Any] = {"reason": "promised", "call_id": "", "due_at": datetime.now(CHINA), **more}
    return desk.store.callbacks.promise(number, caller=number, summary={"request": request}, **given)


def task(desk: Desk, id_: str) -> dict[str, Any]:
    found = desk.store.callbacks.get(id_)
    assert found
    return found


def test_ops_add_give_move_and_cancel_a_callback(browser: webdriver.Chrome, desk: Desk) -> None:
    desk.store.seed_seats([{"id": "s21", "name": "小林", "uri": "sip:s21@127.0.0.1"}])
    page = signed_in(browser, desk, "ops", "/callbacks")
    page.until(lambda: page.one("#empty").is_displayed())
    page.one("body").send_keys(Keys.ALT, "n", Keys.NULL)
    page.until(lambda: browser.switch_to.active_element == page.one("#edit [name=caller]"))
    page.one("#edit [name=request]").send_keys("居住证续签", Keys.CONTROL, Keys.ENTER)
    page.until(lambda: page.one("#edit-error").text.startswith("请填写电话号码"))
    page.one("#edit [name=caller]").send_keys("138 0013 8001", Keys.CONTROL, Keys.ENTER)
    noticed(page, "已添加")
    shown = row_of(page, "#tasks", "居住证续签")
    assert "138****8001" in shown.text
    assert "13800138001" not in shown.text
    assert "任一座位" in shown.text
    (made,) = desk.store.callbacks.page("open")["items"]

    shown.send_keys(Keys.ENTER)
    page.until(lambda: "13800138001" in page.one("#facts").text)
    choose(page, "#edit [name=seat]", "s21")
    page.browser.execute_script("document.querySelector('#edit [name=due_at]').value = '2030-05-01T09:30'")
    page.one("#edit .primary").click()
    noticed(page, "已保存")
    page.until(lambda: "小林（s21）" in row_of(page, "#tasks", "2030-05-01 09:30").text)
    kept = task(desk, made["id"])
    assert (kept["seat"], kept["due_at"]) == ("s21", "2030-05-01T01:30:00.000Z")

    row_of(page, "#tasks", "居住证续签").click()
    page.one("#cancel").click()
    page.one("dialog .primary").click()
    noticed(page, "已取消")
    page.until(lambda: page.one("#empty").is_displayed())
    choose(page, "#filters [name=status]", "cancelled")
    page.one("#filters .primary").click()
    page.until(lambda: "status=cancelled" in browser.current_url)
    row_of(page, "#tasks", "已取消")
    assert actions(desk, made["id"]) == ["callback_cancelled", "callback_changed", "callback_promised"]
    assert page.problems() == []


def test_what_was_in_vain_is_rung_again_or_closed_with_a_result(
    browser: webdriver.Chrome, desk: Desk
) -> None:
    id_ = promise(
        desk, "13900139002", "路灯不亮", call_id="complaint", due_at=datetime(2025, 1, 1, tzinfo=CHINA)
    )
    desk.store.callbacks.due("n1")
    desk.store.callbacks.again(id_, "n1", "no_answer", None)
    page = signed_in(browser, desk, "ops", "/callbacks?status=failed")
    row = row_of(page, "#tasks", "路灯不亮")
    assert "没有打通：无人接听" in row.text
    row.click()
    page.until(lambda: page.one("#reopen").is_displayed())
    link = page.one("#facts .link").get_attribute("href")
    assert link == f"{desk.url}/calls/complaint"
    page.one("#reopen").click()
    noticed(page, "马上拨打")
    assert (task(desk, id_)["status"], task(desk, id_)["attempts"]) == ("waiting", 0)
    desk.store.callbacks.due("n1")
    desk.store.callbacks.again(id_, "n1", "busy", None)
    row_of(page, "#tasks", "没有打通：占线").click()  # the list looks by itself
    choose(page, "#finish [name=result]", "handled")
    page.one("#finish [name=note]").send_keys("用手机打通了", Keys.ENTER)
    noticed(page, "已办结")
    assert (task(desk, id_)["result"], task(desk, id_)["note"]) == ("handled", "用手机打通了")
    page.open("/callbacks?status=done")
    row_of(page, "#tasks", "已处理").click()
    page.until(lambda: "用手机打通了" in page.one("#facts").text)
    assert not page.one("#finish").is_displayed()
    assert actions(desk, id_) == ["callback_closed", "callback_reopened"]
    assert page.problems() == []


def test_a_seat_sees_its_own_callbacks_and_those_of_any_seat(browser: webdriver.Chrome, desk: Desk) -> None:
    desk.store.seed_seats([{"id": name, "uri": f"sip:{name}@127.0.0.1"} for name in ("s31", "s32")])
    desk.store.workplace.take("s31", "seat")
    later = datetime.now(CHINA) + timedelta(hours=3)
    mine, theirs, anybodys = (
        promise(desk, f"1370013700{n}", request, due_at=later, seat=seat)
        for n, (request, seat) in enumerate([("自己的", "s31"), ("别人的", "s32"), ("大家的", "")])
    )
    page = signed_in(browser, desk, "seat", "/callbacks")
    row_of(page, "#tasks", "大家的").click()
    assert "自己的" in page.one("#tasks").text
    assert "别人的" not in page.one("#tasks").text
    assert page.texts("#edit [name=seat] option") == ["任一座位", "s31（s31）"]
    choose(page, "#edit [name=seat]", "s31")
    page.one("#edit .primary").click()
    noticed(page, "已保存")
    assert [task(desk, id_)["seat"] for id_ in (mine, theirs, anybodys)] == ["s31", "s32", "s31"]
    assert page.problems() == []
    desk.store.workplace.leave("s31")


def test_an_admin_sets_up_a_seat_that_somebody_then_works_at(browser: webdriver.Chrome, desk: Desk) -> None:
    page = signed_in(browser, desk, "chief", "/seats")
    page.until(lambda: "实时连接" in page.one("#live").text)
    page.one("body").send_keys(Keys.ALT, "n", Keys.NULL)
    page.until(lambda: browser.switch_to.active_element == page.one("#edit [name=id]"))
    page.one("#edit [name=id]").send_keys("8001")
    page.one("#edit [name=name]").send_keys("一号座位")
    page.one("#edit [name=uri]").send_keys("8001", Keys.ENTER)
    page.until(lambda: "完整的电话地址" in page.one("#edit-error").text)
    page.one("#edit [name=uri]").send_keys("@10.1.2.3")
    page.one("#edit [name=skills]").send_keys("社保、公积金 社保", Keys.CONTROL, Keys.ENTER)
    noticed(page, "座位 一号座位 已保存")
    (seat,) = [seat for seat in desk.store.seats() if seat["id"] == "8001"]
    assert (seat["uri"], set(seat["skills"])) == ("sip:8001@10.1.2.3", {"社保", "公积金"})

    desk.store.workplace.take("8001", "seat")  # somebody elsewhere
    desk.store.set_seat_status("8001", "free")
    page.until(lambda: "空闲" in row_of(page, "#seats", "8001").text)
    assert row_of(page, "#seats", "8001").find_elements(By.CSS_SELECTOR, "td")[2].text == "seat"
    press(page, "#seats", "8001", "暂离")
    noticed(page, "暂不接听来电")
    press(page, "#seats", "8001", "请离座")
    page.one("dialog .primary").click()
    noticed(page, "现在没有人")

    choose(page, "#filters [name=skill]", "公积金")
    page.one("#filters .primary").click()
    page.until(lambda: len(page.all("#seats tbody tr")) == 1 and "skill=" in browser.current_url)
    row_of(page, "#seats", "8001").send_keys(Keys.ENTER)
    page.one("#edit [name=name]").send_keys("（东）", Keys.CONTROL, Keys.ENTER)
    row_of(page, "#seats", "一号座位（东）").click()
    page.one("#remove").click()
    page.one("dialog .primary").click()
    noticed(page, "已删除")
    done = ["seat_removed", "seat_saved", "seat_left", "seat_status", "seat_saved"]
    assert actions(desk, "8001") == done
    assert page.problems() == []


def test_ops_look_at_the_seats_and_let_go_of_one_that_is_stuck(browser: webdriver.Chrome, desk: Desk) -> None:
    desk.store.seed_seats([{"id": "s41", "uri": "sip:s41@127.0.0.1"}])
    desk.store.set_seat_status("s41", "talking")
    page = signed_in(browser, desk, "ops", "/seats?words=s41")
    row = row_of(page, "#seats", "通话中")
    assert not page.one("#new").is_displayed()
    row.click()
    assert not page.one("#edit").is_displayed()
    press(page, "#seats", "s41", "解除占用")
    page.one("dialog .primary").click()
    noticed(page, "s41 已改为暂离")
    assert page.problems() == []


def test_ops_send_again_what_the_citys_system_did_not_take(browser: webdriver.Chrome, desk: Desk) -> None:
    numbers = [desk.store.file_ticket(title, title=title, text="", **TICKET) for title in ("井盖", "树")]
    while (letter := desk.store.outbox.claim("n1", 30)) is not None:
        desk.store.outbox.failed(letter, "HTTP 400：缺少字段", None)
    page = signed_in(browser, desk, "ops", "/outbox?status=failed")
    assert "HTTP 400：缺少字段" in row_of(page, "#messages", numbers[0]).text
    press(page, "#messages", numbers[0], "立即重发")
    noticed(page, f"工单 {numbers[0]} 马上重新推送")
    page.until(lambda: numbers[0] not in page.one("#messages tbody").text)
    page.until(lambda: "等待 1 条" in page.one("#counts").text)
    page.one("#retry-all").click()
    page.one("dialog .primary").click()
    page.until(lambda: "没有失败" in page.one("#counts").text)
    assert desk.store.outbox.count()["failed"] == 0
    assert actions(desk, numbers[0]) == ["message_retried"]
    page.fill("#filters", ticket=numbers[1])
    choose(page, "#filters [name=status]", "")
    page.one("#filters .primary").click()
    page.until(lambda: page.one("#total").text == "共 1 条")
    assert page.problems() == []
