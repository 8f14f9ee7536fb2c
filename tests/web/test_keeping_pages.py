"""The pages of admins and ops in a real browser: accounts, audit trail, knowledge base, one's own account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
import segno
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from .browsing import MISSING, actions, chromium, noticed, press, row_of, signed_in
from .conftest import PASSWORD, Desk

pytestmark = [
    pytest.mark.web,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
NAV = {
    "seat": ["坐席工作台", "通话记录", "回电任务"],
    "ops": ["坐席工作台", "通话记录", "回电任务", "知识库", "座位", "工单推送"],
    "chief": ["坐席工作台", "通话记录", "回电任务", "知识库", "座位", "工单推送", "账号", "操作记录"],
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.mark.parametrize("name", ["seat", "ops", "chief"])
def test_each_role_finds_the_pages_that_it_may_use(browser: webdriver.Chrome, desk: Desk, name: str) -> None:
    page = signed_in(browser, desk, name, "/calls/complaint")
    assert page.texts("#nav a") == NAV[name]
    assert page.one("#nav [aria-current]").text == "通话记录"
    page.one("#account a").click()
    page.until(lambda: browser.current_url == f"{desk.url}/account")
    if name != "chief":
        page.open("/accounts")
        page.until(lambda: "不能使用这个页面" in page.one("main").text)
    assert page.problems() == []


def test_an_admin_keeps_the_accounts(browser: webdriver.Chrome, desk: Desk) -> None:
    page = signed_in(browser, desk, "chief", "/accounts")
    page.fill("#add", name="zhang")
    password = page.one("dialog .secret").text
    assert desk.store.verify_user("zhang", password) is not None
    page.one("dialog .primary").click()
    page.until(lambda: "待首次登录改密" in row_of(page, "#users", "zhang").text)

    row_of(page, "#users", "zhang").find_element(By.CSS_SELECTOR, "option[value=ops]").click()
    page.one("dialog .primary").click()
    noticed(page, "账号 zhang 现在是运营")
    press(page, "#users", "zhang", "重置密码")
    page.one("dialog .primary").send_keys(Keys.ESCAPE)  # no
    press(page, "#users", "zhang", "重置密码")
    page.one("dialog .primary").click()
    page.until(lambda: page.all("dialog .secret") and page.one("dialog .secret").text != password)
    page.one("dialog .primary").click()

    for _ in range(6):
        desk.store.verify_user("zhang", "a wrong password")
    desk.store.accounts.begin_totp("zhang")
    page.browser.refresh()
    assert "已锁定" in row_of(page, "#users", "zhang").text
    press(page, "#users", "zhang", "解锁")
    noticed(page, "账号 zhang 已解锁")
    press(page, "#users", "zhang", "删除")
    page.one("dialog .primary").click()
    noticed(page, "账号 zhang 已删除")
    assert actions(desk, "zhang")[:5] == ["user_removed", *["user_changed"] * 3, "user_added"]
    page.fill("#add", name="ops")
    noticed(page, "已经有这个账号")
    assert [problem for problem in page.problems() if "409" not in problem] == []


def test_the_audit_trail_is_filtered_by_who_what_and_day(browser: webdriver.Chrome, desk: Desk) -> None:
    desk.store.audit("ops", "ops", "listen", "transferred", address="10.0.0.9")
    desk.store.audit("wu", "ops", "export", "complaint", {"format": "vcon"}, "10.0.0.9")
    page = signed_in(browser, desk, "chief", "/audit")
    entry = row_of(page, "#entries", "导出通话").text
    assert all(words in entry for words in ("wu", "运营", "complaint", "格式：vcon", "10.0.0.9"))
    page.fill("#filters", who="wu")
    page.until(lambda: len(page.all("#entries tbody tr")) == 1)
    page.one("#filters [name=who]").clear()
    page.one("#filters [name=action] option[value=listen]").click()
    page.one("#filters .primary").click()
    page.until(lambda: page.one("#total").text == "共 1 条" and "收听录音" in page.one("#entries tbody").text)
    assert page.one("#entries .link").get_attribute("href") == f"{desk.url}/calls/transferred"
    page.open("/audit?from=2020-01-01&to=2020-01-02")
    page.until(lambda: page.one("#empty").is_displayed())
    assert page.problems() == []


def test_ops_keep_the_knowledge(browser: webdriver.Chrome, desk: Desk) -> None:
    page = signed_in(browser, desk, "ops", "/knowledge")
    page.until(lambda: "已使用最新内容" in page.one("#index").text)
    assert "已失效" in row_of(page, "#passages", "社保卡年检").text

    page.one("body").send_keys(Keys.ALT, "n", Keys.NULL)
    page.until(lambda: page.one("#edit").is_displayed())
    page.one("#edit [name=question]").send_keys("无人机怎么登记？", Keys.CONTROL, Keys.ENTER)
    page.until(lambda: page.one("#edit-error").text == "请填写答案。")
    page.one("#edit [name=answer]").send_keys("在民航局网站登记。")
    page.one("#edit [name=phrasings]").send_keys("无人机登记在哪里办", Keys.CONTROL, Keys.ENTER)
    noticed(page, "已添加")
    [passage] = desk.store.passages("无人机")["items"]
    assert passage["phrasings"] == ["无人机登记在哪里办"]

    page.one("#filters [name=how] option[value=asked]").click()
    page.fill("#filters", words="想给无人机登记")
    page.until(lambda: page.one("#last").text == "把握" and "无人机" in page.one("#passages tbody").text)
    row_of(page, "#passages", "无人机").click()
    page.until(lambda: page.one("#edit [name=question]").get_attribute("value") == "无人机怎么登记？")
    page.one("#expire").click()
    page.one("dialog .primary").click()
    noticed(page, "已停用")
    page.until(lambda: "无人机" not in page.one("#passages tbody").text)  # it is not told any more
    page.one("#filters [type=reset]").click()
    assert "已失效" in row_of(page, "#passages", "无人机").text
    row_of(page, "#passages", "无人机").click()
    page.one("#remove").click()
    page.one("dialog .primary").click()
    noticed(page, "已删除")
    done = ["knowledge_removed", "knowledge_changed", "knowledge_added"]
    assert actions(desk, passage["id"]) == done
    assert page.problems() == []


def test_a_file_is_imported_after_its_report(browser: webdriver.Chrome, desk: Desk, tmp_path: Path) -> None:
    page = signed_in(browser, desk, "ops", "/knowledge")
    file = tmp_path / "公园.csv"
    file.write_text("问题,答案\n公园几点关门？,晚上十点。\n公园收费吗？,免费。看 www.example.com\n", "utf-8")
    page.one("#import [name=file]").send_keys(str(file))
    page.one("#look").click()
    report = page.one("#report")
    page.until(lambda: "新增 2 条" in report.text, 60)  # a process begins
    assert "公园.csv: 第 3 行: 答案里有网址，电话里念不清楚" in report.text
    assert desk.store.passages("公园")["total"] == 0
    page.one("#carry-out").click()
    page.until(lambda: "已导入：" in report.text, 20)
    page.until(lambda: "公园收费吗" in page.one("#passages tbody").text)
    assert actions(desk, "公园.csv") == ["knowledge_imported"]
    file.write_text("问题,答案\n只有问题,\n", "utf-8")
    page.one("#import [name=file]").send_keys(str(file))
    page.one("#look").click()
    page.until(
        lambda: page.one("#import-error").text == "文件有问题，没有导入。公园.csv: 第 2 行: 答案 没有填写"
    )
    assert [problem for problem in page.problems() if "422" not in problem] == []


def test_people_change_their_password_and_get_a_second_factor(browser: webdriver.Chrome, desk: Desk) -> None:
    desk.store.add_user("own", "seat", PASSWORD)
    page = signed_in(browser, desk, "own", "/account")
    page.fill("#password", old=PASSWORD, new="another password", again="another passwort")
    page.until(lambda: "不一致" in page.one("#password .said").text)
    page.one("#password [name=again]").clear()
    page.fill("#password", again="another password")
    page.until(lambda: "密码已修改" in page.one("#password .said").text)
    page.fill("#begin", password="another password")
    secret = page.until(lambda: page.one("#secret").text).replace(" ", "")
    uri = page.one("#uri").get_attribute("href")
    assert pyotp.parse_uri(uri).secret == secret
    code = page.one("#qr")
    page.until(lambda: int(code.get_attribute("naturalWidth")) > 0)  # drawn, not held back
    assert code.get_attribute("src") == segno.make(uri, error="m", micro=False).svg_data_uri(light="#fff")
    page.fill("#confirm", code=pyotp.TOTP(secret).now())
    page.until(lambda: "已开启" in page.one("#begin .said").text)
    assert next(user for user in desk.store.users() if user["name"] == "own")["totp"]
    assert page.problems() == []
