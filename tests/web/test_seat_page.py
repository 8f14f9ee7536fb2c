"""The seat's page in a real browser: the pop, the talk, the work order, a lost connection, another node."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from records.recording import Recording
from voice.events import CallEnded, Happened, Turn

from .browsing import MISSING, chromium
from .conftest import PASSWORD
from .desk_node import DeskNode, desk_node, node_process
from .seat_page import SAID, Elsewhere, SeatPage, call_comes, ends, rings, seat_row, talks

pytestmark = [
    pytest.mark.web,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


def search(_query: str, _limit: int) -> list[dict[str, Any]]:
    answer = "夜间施工噪音超标的，由城市管理部门责令改正，可以并处罚款。"
    return [{"id": "noise", "question": "施工噪音超标怎么处罚？", "answer": answer, "score": 0.9}]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskNode]:
    """A node, with two seats and an account for each."""
    folder = tmp_path_factory.mktemp("seats")
    with desk_node("n1", f"sqlite:///{folder}/hotline.db", folder, search) as first:
        for user in ("chen", "wang"):
            first.store.add_user(user, "seat", PASSWORD)
        for seat, name in (("8001", "小陈"), ("8002", "小王")):
            uri = f"sip:{seat}@127.0.0.1"
            first.store.seed_seats([{"id": seat, "name": name, "uri": uri, "skills": ["城管"]}])
        yield first


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def seat(browser: webdriver.Chrome, node: DeskNode) -> Iterator[SeatPage]:
    """Chen at the seat 8001, on the first node, free."""
    page = SeatPage(browser, node, "chen", "8001")
    page.go_free()
    yield page
    assert page.problems() == []
    assert page.browser.execute_script("return window.neverReloaded") is True
    node.store.set_seat_status("8001", "away")
    node.store.set_seat_status("8002", "away")


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


def assert_talk_is_followed(seat: SeatPage, node: DeskNode) -> None:
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
    below = "const l = document.getElementById('turns'); return l.scrollHeight - l.scrollTop - l.clientHeight"
    seat.until(lambda: seat.browser.execute_script(below) < 2)  # the newest words stay in view


def title_typed_over_the_draft(seat: SeatPage, node: DeskNode) -> WebElement:
    """What was typed stays, what was not follows the draft; gives the title's field."""
    order = seat.one("#order")
    assert order.find_element("name", "category").get_attribute("value") == "施工噪音"
    title = order.find_element("name", "title")
    title.clear()
    title.send_keys("中山路88号工地夜间施工扰民")
    slots = {"name": "李芳", "duration": "三天", "plate": "A12345", "street": "中山路", "matter": "施工"}
    draft = {"title": "别的标题", "urgency": "urgent", "slots": slots, "secret": True}
    node.emit(Happened("one", 47.0, "draft", draft))
    seat.until(lambda: order.find_element("name", "name").get_attribute("value") == "李芳")
    assert title.get_attribute("value") == "中山路88号工地夜间施工扰民"  # what was typed stays
    assert order.find_element("name", "secret").is_selected()
    seat.until(lambda: seat.texts("#more button") == ["持续时间：三天 ×", "车牌号：A12345 ×"])
    seat.all("#more button")[1].click()  # not said like that
    seat.until(lambda: seat.texts("#more button") == ["持续时间：三天 ×"])
    return title


def test_a_seat_takes_a_call_talks_and_files_the_work_order(seat: SeatPage, node: DeskNode) -> None:
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

    assert_talk_is_followed(seat, node)
    title = title_typed_over_the_draft(seat, node)
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
    assert filed["slots"] == {
        "place": "中山路88号",
        "time": "昨晚十一点以后",
        "name": "李芳",
        "contact": "13800000002",
        "duration": "三天",
        "street": "中山路",
    }
    assert (filed["department"], filed["secret"]) == ("城市管理局", True)

    seat.press(Keys.F8)
    seat.until(lambda: seat.status() == "空闲" and seat.shown("#today"))
    seat.until(
        lambda: any("13800000002" in row and "已接通" in row for row in seat.texts("#my-calls tbody tr"))
    )


def test_the_next_call_is_declined_by_its_key(seat: SeatPage, node: DeskNode) -> None:
    call_comes(node, "two")
    rings(node, "two", "8001")
    seat.until(lambda: seat.shown("#pop"))
    seat.press(Keys.ALT, "d", Keys.NULL)
    seat.until(lambda: node.store.seat_verdict("8001") == "declined")
    seat.until(lambda: "已拒接" in seat.one("#pop-request").text)
    ends(node, "two", "8001", "declined")
    seat.until(lambda: seat.status() == "整理中" and not seat.shown("#pop"))
    seat.press(Keys.F8)
    seat.until(lambda: seat.status() == "空闲")


def test_what_a_seat_wants_in_a_call_reaches_it(seat: SeatPage, node: DeskNode) -> None:
    call_comes(node, "three")
    rings(node, "three", "8001")
    seat.until(lambda: seat.shown("#pop"))
    talks(node, "three", "8001")
    seat.until(lambda: seat.shown("#hold") and seat.one("#notice").text == "已与来电人接通")
    seat.press(Keys.F9)
    seat.until(lambda: "正在保持" in seat.one("#notice").text)
    node.emit(Happened("three", 50.0, "seat_held", {"seat": "8001"}))
    seat.until(lambda: seat.one("#hold").text.startswith("恢复"))
    assert seat.one("#talk-state").text == "保持中，来电人听音乐"
    seat.one("#three").click()
    seat.fill("#three-form", number="6688-1234")
    seat.until(lambda: not seat.shown("#three-form"))
    node.emit(Happened("three", 55.0, "third_party", {"joined": True, "seat": "8001"}))
    seat.until(lambda: seat.one("#three").text == "结束三方")
    assert seat.texts("#talk-state .badge") == ["保持中，来电人听音乐", "三方通话中"]
    seat.one("#three").click()
    seat.until(lambda: "请第三方离开" in seat.one("#notice").text)
    node.emit(Happened("three", 60.0, "third_party", {"joined": False, "seat": "8001"}))
    seat.until(lambda: seat.texts("#talk-state .badge") == ["保持中，来电人听音乐"])
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


def test_a_lost_connection_is_told_and_recovered_from(seat: SeatPage, node: DeskNode) -> None:
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


def test_a_reload_finds_the_call_and_what_was_typed(seat: SeatPage, node: DeskNode) -> None:
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


def test_a_category_brings_its_department_and_a_wrong_one_is_told(seat: SeatPage, node: DeskNode) -> None:
    call_comes(node, "sorted")
    rings(node, "sorted", "8001")
    seat.until(lambda: seat.shown("#pop"))
    order = seat.one("#order")
    field = {name: order.find_element("name", name) for name in ("category", "department", "kind", "title")}
    value = lambda name: field[name].get_attribute("value")  # noqa: E731
    seat.until(lambda: value("category") == "施工噪音")
    assert [option.get_attribute("value") for option in seat.all("#categories option")] == [
        "施工噪音",
        "路灯照明",
        "其他",
    ]
    field["category"].clear()
    field["category"].send_keys("绿化", Keys.TAB)
    seat.until(lambda: seat.one("#order-error").text == "没有“绿化”这个类别，请从列表中选择。")
    field["title"].send_keys(Keys.CONTROL, Keys.ENTER)
    assert seat.browser.switch_to.active_element == field["category"]  # it was not filed
    field["category"].clear()
    field["category"].send_keys("路灯", Keys.TAB)  # a part that only one has
    seat.until(lambda: value("category") == "路灯照明" and seat.one("#order-error").text == "")
    assert (value("department"), value("kind")) == ("市住房和城乡建设局", "报修")
    node.emit(
        Happened("sorted", 40.0, "draft", {"category": "施工噪音", "department": "别处", "title": "新"})
    )
    seat.until(lambda: value("title") == "新")
    assert (value("category"), value("department")) == ("路灯照明", "市住房和城乡建设局")
    ends(node, "sorted", "8001", "no_answer")
    seat.until(lambda: seat.status() == "整理中")


def test_what_was_said_so_far_can_be_heard(seat: SeatPage, node: DeskNode) -> None:
    recording = Recording(node.folder / "recordings" / "heard.wav")
    recording.write(bytes(16000 * 12), bytes(16000 * 12))
    call_comes(node, "heard", "heard.wav")
    rings(node, "heard", "8001")
    seat.until(lambda: seat.shown("#pop") and seat.shown("#play"))
    audio = lambda what: seat.browser.execute_script(f"return document.getElementById('audio').{what}")  # noqa: E731
    seat.press(Keys.ALT, "p", Keys.NULL)
    seat.until(lambda: audio("currentTime") > 0 and not audio("paused"))
    assert 10 < audio("duration") <= 12
    recording.write(bytes(16000 * 20), bytes(16000 * 20))
    seat.all("#turns .turn .from")[2].click()  # said 16 s after the answer: only the new audio has it
    seat.until(lambda: audio("currentTime") > 16)
    assert audio("duration") > 20
    seat.press(Keys.ALT, "p", Keys.NULL)
    seat.until(lambda: audio("paused"))
    [entry] = node.store.audit.page(action="listen")["items"]
    assert (entry["who"], entry["about"]) == ("chen", "heard")
    recording.close().result(10)
    ends(node, "heard", "8001")
    seat.until(lambda: seat.status() == "整理中")


def test_a_missing_field_is_told_and_the_knowledge_base_is_searched(seat: SeatPage, node: DeskNode) -> None:
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


def test_a_seat_at_a_node_of_another_process_sees_the_claim(
    browser: webdriver.Chrome, node: DeskNode, tmp_path: Path
) -> None:
    with node_process("n2", f"sqlite:///{node.folder}/hotline.db", tmp_path) as url:
        page = SeatPage(browser, Elsewhere(url), "wang", "8002")
        page.go_free()
        assert seat_row(node, "8002")["user"] == "wang"
        assert_claim_is_seen_and_let_go(page, node)
        call_comes(node, "seven")  # the call runs on the first node, the page is the second's
        rings(node, "seven", "8002")
        page.until(lambda: page.shown("#pop"))
        page.until(lambda: "中山路88号工地夜间施工" in page.one("#pop-request").text)
        page.one("#accept").click()
        page.until(lambda: node.store.seat_verdict("8002") == "accepted")
        talks(node, "seven", "8002")
        page.until(lambda: page.status() == "通话中")
        node.emit(Turn("seven", 4, "seat", "您好，我是小王", 40.0, 42.0))
        page.until(lambda: "您好，我是小王" in page.one("#turns").text)
        node.emit(Happened("seven", 45.0, "command_failed", {"action": "add", "outcome": "busy"}))
        page.until(lambda: page.one("#notice").text == "没有成功：对方忙")
        ends(node, "seven", "8002")
        page.until(lambda: page.status() == "整理中")
        assert page.problems() == []


def assert_claim_is_seen_and_let_go(page: SeatPage, node: DeskNode) -> None:
    """The caller hangs up while the seat rings: what popped goes, and the seat is free as before."""
    call_comes(node, "gone")
    rings(node, "gone", "8002")
    page.until(lambda: page.shown("#pop") and page.status() == "来电振铃")
    node.emit(CallEnded("gone", datetime.now(timezone.utc), "caller_hangup", "abandoned"))
    node.do(node.store.release_seat, "8002", "free")
    page.until(lambda: page.status() == "空闲" and not page.shown("#pop"))
