"""How soon the pop is on a seat's screen: `python -m bench.screen_pop [--pops N]`.

A real Chromium, journal, database and live feed. Counted from when the transfer is decided (its summary is
emitted; the seat is claimed and rung at once) until the browser has painted the pop with the request of that
very call. Both clocks are this machine's. Once on the node of the call, once on another.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from selenium import webdriver

from dialog import Summary
from tests.web.browsing import Page, chromium
from tests.web.desk_node import DeskNode, desk_node
from voice.events import CallAnswered, CallStarted, Happened, TransferUpdated, Turn

TARGET_MS = 300.0
PASSWORD = "only for this bench"
SEAT = "8001"
WATCH = """
window.pops = {};
const pop = document.getElementById("pop"), request = document.getElementById("pop-request");
new MutationObserver(() => {
  const words = request.textContent;
  if (pop.hidden || words in window.pops) return;
  window.pops[words] = null;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    window.pops[words] = performance.timeOrigin + performance.now();
  }));
}).observe(pop, { attributes: true, childList: true, characterData: true, subtree: true });
"""


def _sit(browser: webdriver.Chrome, node: DeskNode) -> Page:
    page = Page(browser, node.url)
    page.open("/login")
    browser.delete_all_cookies()
    page.open("/")
    page.fill("#sign-in", name="seat", password=PASSWORD)
    page.until(lambda: browser.current_url.endswith("/seat"))
    page.until(lambda: page.all("#live.up"))
    browser.execute_script(WATCH)
    return page


def _pop(page: Page, node: DeskNode, number: int, where: str) -> float:
    """Milliseconds from a decided transfer to the painted pop; the call runs on `node`."""
    call_id, request = f"{where}-{number}", f"{where}第{number}通：路灯不亮"
    node.do(node.store.set_seat_status, SEAT, "free")
    page.until(lambda: page.one("#status").text == "空闲")
    now = datetime.now(timezone.utc)
    node.emit(CallStarted(call_id, "13800000002", "12345", now, ""), CallAnswered(call_id, now))
    node.emit(*(Turn(call_id, n, "caller", "路灯坏了很久没有人修", 3.0 * n) for n in range(8)))
    time.sleep(0.3)
    summary = Summary(caller="李女士", request=request, category="市政设施", mood="平静")
    decided_ms = time.time() * 1000
    node.emit(TransferUpdated(call_id, "caller_asked", summary))
    node.do(node.store.queue.claim, "", call_id, node=node.name)
    node.emit(Happened(call_id, 30.0, "seat_ringing", {"seat": SEAT}))
    script = "return window.pops[arguments[0]]"
    shown_ms: float = page.until(lambda: page.browser.execute_script(script, request))
    node.do(node.store.release_seat, SEAT, "wrap_up")
    page.until(lambda: page.one("#status").text == "整理中")
    return shown_ms - decided_ms


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.screen_pop", description=__doc__)
    parser.add_argument("--pops", type=int, default=20)
    pops = parser.parse_args(arguments).pops
    table = Table("the seat's page is served by", "pops", "p50 ms", "p95 ms", "most ms", "target ms")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/hotline.db"
        with (
            desk_node("n1", url, folder) as first,
            desk_node("n2", url, folder) as second,
            chromium(folder / "chromium") as browser,
        ):
            first.store.add_user("seat", "seat", PASSWORD)
            first.store.seed_seats([{"id": SEAT, "name": "小陈", "uri": f"sip:{SEAT}@127.0.0.1"}])
            first.store.workplace.take(SEAT, "seat")
            for served, where in ((first, "the node of the call"), (second, "another node")):
                page = _sit(browser, served)
                taken = [_pop(page, first, n, where) for n in range(pops)]
                p50, p95 = np.percentile(taken, [50, 95])
                table.add_row(
                    where, str(pops), f"{p50:.0f}", f"{p95:.0f}", f"{max(taken):.0f}", f"{TARGET_MS:.0f}"
                )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
