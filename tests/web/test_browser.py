"""The pages in a real browser: sign in, find a call, hear it with the text in step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from records.recording import Recording

from .browsing import MISSING, Page, chromium
from .conftest import PASSWORD, TURNS, Desk

pytestmark = [
    pytest.mark.web,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


class CallPage(Page):
    """A window that plays calls."""

    def audio(self, expression: str) -> Any:
        return self.browser.execute_script(f"return document.getElementById('audio').{expression}")

    def heard(self) -> str | None:
        """The index of the turn that is highlighted."""
        marked = [item.get_attribute("data-index") for item in self.all("#turns .turn.heard")]
        assert len(marked) <= 1
        return marked[0] if marked else None


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def page(browser: webdriver.Chrome, desk: Desk) -> Iterator[CallPage]:
    """A window in which ops has signed in."""
    page = CallPage(browser, desk.url)
    page.open("/login")
    browser.delete_all_cookies()
    page.open("/")
    page.fill("#sign-in", name="ops", password=PASSWORD)
    page.one("#calls tbody tr")
    page.problems()  # forget the 401 that led to the sign-in page
    yield page
    assert page.problems() == []


def test_a_wrong_password_is_told_in_chinese(browser: webdriver.Chrome, desk: Desk) -> None:
    page = Page(browser, desk.url)
    page.open("/login")
    browser.delete_all_cookies()
    page.open("/calls/transferred")
    page.fill("#sign-in", name="ops", password="wrong")
    page.until(lambda: page.one("#message").text == "账号或密码不正确，请重新输入。")
    page.one("#sign-in [name=password]").clear()
    page.fill("#sign-in", password=PASSWORD)
    page.until(lambda: browser.current_url == f"{desk.url}/calls/transferred")  # where it was going


def test_the_one_time_password_is_changed_on_the_page(browser: webdriver.Chrome, desk: Desk) -> None:
    desk.store.add_user("chief", "admin", "one-time password", must_change=True)
    page = Page(browser, desk.url)
    page.open("/login")
    browser.delete_all_cookies()
    page.open("/")
    page.fill("#sign-in", name="chief", password="one-time password")
    page.until(lambda: page.one("#change").is_displayed())
    page.fill("#change", new="my own password", again="my own passwort")
    assert page.one("#message").text == "两次输入的新密码不一致。"
    page.one("#change [name=again]").clear()
    page.fill("#change", again="my own password")
    page.one("#calls tbody tr")


def test_the_list_shows_calls_at_a_glance_and_hides_numbers(page: CallPage) -> None:
    assert len(page.all("#calls tbody tr")) == 50
    rows = page.texts("#calls tbody tr")
    transferred = next(row for row in rows if "两项补贴" in row)
    assert "138****0002" in transferred
    assert "已转人工" in transferred
    assert "00:30" in transferred
    assert "13800000002" not in page.browser.page_source
    assert "通话中" in rows[0]


def test_the_list_is_searched_and_paged(page: CallPage) -> None:
    page.fill("#filters", q="半夜还在施工")
    page.until(lambda: len(page.all("#calls tbody tr")) == 1)
    assert "已立工单" in page.one("#calls tbody tr").text
    page.one("#filters [name=q]").clear()
    page.fill("#filters", q="没有人说过的话")
    page.until(lambda: page.one("#empty").is_displayed())
    page.one("#filters [type=reset]").click()
    page.until(lambda: len(page.all("#calls tbody tr")) == 50)
    page.all("#pages button")[1].click()
    page.until(lambda: 0 < len(page.all("#calls tbody tr")) < 50)
    assert "page=2" in page.browser.current_url


def test_a_new_call_appears_by_itself(page: CallPage, desk: Desk) -> None:
    page.until(lambda: "up" in page.one("#live").get_attribute("class").split())
    desk.store.save_call("fresh", caller="13700000007", started_at="2001-01-01T00:00:00Z")
    desk.store.save_call("fresh", started_at=desk.store.calls()["items"][0]["started_at"][:-1] + "Z")
    total = desk.store.calls()["total"]
    desk.publish({"kind": "call_started", "call_id": "fresh"})
    page.until(lambda: page.one("#total").text == f"共 {total} 通")
    assert any("137****0007" in row for row in page.texts("#calls tbody tr"))


def test_the_turn_being_heard_moves_with_the_audio(page: CallPage) -> None:
    page.until(lambda: any("两项补贴" in text for text in page.texts("#calls tbody tr")))
    next(row for row in page.all("#calls tbody tr") if "两项补贴" in row.text).click()
    page.until(lambda: len(page.all("#turns .turn")) == len(TURNS))
    assert page.heard() is None
    page.until(lambda: page.audio("readyState") >= 1)
    assert page.audio("duration") == 30
    page.browser.execute_script("document.getElementById('rate').value = '2'")
    page.browser.execute_script("document.getElementById('rate').dispatchEvent(new Event('change'))")
    page.one("#play").click()
    page.until(lambda: page.heard() == "0")
    page.until(lambda: page.heard() == "1")
    assert TURNS[1]["at"][0] - 0.1 <= page.audio("currentTime") < TURNS[2]["at"][0]
    page.one("#play").click()
    page.until(lambda: page.audio("paused"))


def test_a_click_on_a_turn_plays_from_there(page: CallPage) -> None:
    page.open("/calls/transferred")
    page.until(lambda: page.audio("readyState") >= 1)
    for index in (4, 2):
        page.all("#turns .turn")[index].click()
        began = TURNS[index]["at"][0]
        page.until(lambda began=began: began <= page.audio("currentTime") < began + 1.5)
        page.until(lambda index=index: page.heard() == str(index))
        assert page.audio("paused") is False
    page.all("#turns .turn")[5].send_keys(Keys.ENTER)
    page.until(lambda: page.heard() == "5")
    page.one("body").send_keys(" ")
    page.until(lambda: page.audio("paused"))


def test_a_call_shows_what_was_sure_slow_and_why_it_was_handed_over(page: CallPage) -> None:
    page.open("/calls/transferred")
    page.one("#turns .turn")
    turns = page.texts("#turns .turn")
    assert "识别 93%" in turns[1]
    assert "把握 86%" in turns[2]
    assert "响应 540 毫秒" in turns[2]
    assert "依据 kb:mz-012" in turns[2]
    assert page.one("#turns .turn s").text == "每月十五日前受理的，当月起发放。"  # was not heard
    (written,) = page.all("#turns .turn .written")
    assert written.text == "那我户口在外区，人住在东湖路18号，是哪个区发给我呢"
    assert written.get_attribute("title") == "识别原文：那我户口在外区，人住在冬湖路十八号，是哪个区发给我呢"
    stages = page.one("#turns .stages").get_attribute("title")
    assert stages == "判断说完 310 毫秒，语音识别 60 毫秒，思考答复 45 毫秒，语音合成 125 毫秒"
    events = page.texts("#turns .event")
    assert events[0].endswith("来电人打断")
    assert events[-1].endswith("来电人与坐席已接通")
    transfer = page.one("#transfer").text
    for words in ("已接通坐席", "把握不足", "小陈", "咨询残疾人两项补贴能否跨区领取", "需要携带的证件"):
        assert words in transfer


def test_a_complaint_shows_its_work_order(page: CallPage) -> None:
    page.open("/calls/complaint")
    page.until(lambda: page.one("#ticket").text)
    ticket = page.one("#ticket").text
    for words in ("中山路工地夜间施工噪声扰民", "城市管理局", "中山路88号", "王先生", "已登记"):
        assert words in ticket
    assert page.one("#no-audio").text == "这通电话没有录音。"


def test_a_running_call_is_followed_and_heard(page: CallPage, desk: Desk) -> None:
    recording = Recording(desk.recordings_dir / "running.wav")
    recording.write(bytes(16000 * 6), bytes(16000 * 6))
    page.open("/calls/running")
    page.until(lambda: "up" in page.one("#live").get_attribute("class").split())
    desk.store.save_turn("running", 1, who="caller", text="<b>我要</b>投诉", started_s=3.0)
    desk.publish({"kind": "turn", "call_id": "running"})
    page.until(lambda: len(page.all("#turns .turn")) == 2)
    assert page.all("#turns .turn .text")[1].text == "<b>我要</b>投诉"  # words, never markup
    page.all("#turns .turn")[1].click()
    page.until(lambda: page.audio("currentTime") > 3.0)
    assert page.heard() == "1"
    recording.close().result(10)


def test_pages_left_behind_hold_no_line_to_the_desk(page: CallPage, desk: Desk) -> None:
    """A browser has six connections for a site; pages it keeps for going back must not use them up."""
    for n in range(10):
        page.open(f"/calls/plain-{n}")
        page.until(lambda: "up" in page.one("#live").get_attribute("class").split())
    page.until(lambda: len(desk.live._watchers) == 1)
    page.browser.back()
    page.until(lambda: page.one("#title").text == "13900000008")
    page.until(lambda: "up" in page.one("#live").get_attribute("class").split())


def test_the_page_says_when_there_is_no_such_call(page: CallPage) -> None:
    page.open("/calls/none")
    page.until(lambda: page.one("#error").text == "没有这通电话的记录。")
    assert all("404" in problem for problem in page.problems())
