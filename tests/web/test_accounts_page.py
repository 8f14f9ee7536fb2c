"""The sign-in page in a real browser: a second field where an account has a second factor."""

from __future__ import annotations

import time
from pathlib import Path

import pyotp
import pytest

from .browsing import MISSING, Page, chromium
from .conftest import PASSWORD, Desk

pytestmark = [
    pytest.mark.web,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


def test_the_sign_in_page_asks_for_the_code(tmp_path: Path, desk: Desk) -> None:
    desk.store.add_user("eyes", "ops", PASSWORD)
    secret = desk.store.accounts.begin_totp("eyes")
    assert desk.store.accounts.confirm_totp("eyes", pyotp.TOTP(secret).at(time.time() - 30))
    with chromium(tmp_path) as browser:
        page = Page(browser, desk.url)
        page.open("/login")
        code = page.one("#sign-in [name=code]")
        assert not code.is_displayed()
        page.fill("#sign-in", name="eyes", password=PASSWORD)
        page.until(lambda: "6 位动态验证码" in page.one("#message").text)
        assert code.is_displayed()
        assert browser.switch_to.active_element == code
        page.fill("#sign-in", code="000000")
        page.until(lambda: "验证码不正确" in page.one("#message").text)
        page.fill("#sign-in", code=pyotp.TOTP(secret).now())
        page.until(lambda: browser.current_url == desk.url + "/")
        page.open("/login?next=/")  # signed in already
        page.until(lambda: browser.current_url == desk.url + "/")
        browser.delete_all_cookies()
        page.open("/login")
        page.fill("#sign-in", name="eyes", password=PASSWORD)
        page.until(lambda: page.one("#sign-in [name=code]").is_displayed())
        page.one("#sign-in [name=name]").send_keys("x")  # somebody else
        assert not page.one("#sign-in [name=code]").is_displayed()
