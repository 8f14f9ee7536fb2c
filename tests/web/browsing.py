"""A real Chromium and what a person does in its window."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from .conftest import PASSWORD, Desk

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
MISSING = [str(path) for path in (CHROMIUM, DRIVER) if not path.exists()]


class Page:
    """A browser window and what a person does in it."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self, path: str) -> None:
        self.browser.get(self.url + path)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        found: WebElement = self.until(lambda: next(iter(self.all(selector)), None))
        return found

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.all(selector)]

    def until(self, found: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        redrawn = [StaleElementReferenceException]  # looked for again
        return WebDriverWait(self.browser, timeout_s, 0.05, redrawn).until(lambda _: found())

    def fill(self, form: str, **values: str) -> None:
        for name, value in values.items():
            self.one(f"{form} [name={name}]").send_keys(value)
        self.one(f"{form} button.primary").click()

    def problems(self) -> list[str]:
        logged = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in logged if entry["level"] == "SEVERE"]


@contextmanager
def chromium(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser of its own, with `folder` for what it keeps."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--mute-audio",
        "--window-size=1440,1000",
        f"--user-data-dir={folder}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(str(DRIVER), env={**os.environ, "NO_PROXY": "*"})
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def signed_in(browser: webdriver.Chrome, desk: Desk, name: str, path: str) -> Page:
    """A window at `path` in which `name` has signed in."""
    if not any(user["name"] == "chief" for user in desk.store.users()):
        desk.store.add_user("chief", "admin", PASSWORD)
    page = Page(browser, desk.url)
    page.open("/static/icon.svg")  # /login would lead who is still signed in elsewhere meanwhile
    browser.delete_all_cookies()
    page.open(path)
    page.fill("#sign-in", name=name, password=PASSWORD)
    page.until(lambda: page.texts("#nav a"))
    page.problems()  # forget the 401 that led to the sign-in page
    return page


def row_of(page: Page, table: str, words: str) -> WebElement:
    """The row of a table that has these words, once it is there."""
    found: WebElement = page.until(
        lambda: next((row for row in page.all(f"{table} tbody tr") if words in row.text), None)
    )
    return found


def press(page: Page, table: str, row: str, words: str) -> None:
    """Press the button `words` in the row that has the words `row`; it may be redrawn meanwhile."""

    def pressed() -> bool:
        buttons = row_of(page, table, row).find_elements(By.CSS_SELECTOR, "button")
        found = next((button for button in buttons if button.text == words), None)
        if found is not None:
            found.click()
        return found is not None

    page.until(pressed)


def noticed(page: Page, words: str) -> None:
    """The page says these words."""
    page.until(lambda: words in page.one("#notice").text)


def actions(desk: Desk, about: str) -> list[str]:
    """What the audit trail tells about something, newest first."""
    return [entry["action"] for entry in desk.store.audit.page(about=about)["items"]]
