"""Parts of the desk that need no server: the live feed, the brake on guessing passwords, the address."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import anyio
import pytest
from starlette.datastructures import Headers

from desk.auth import Throttle, same_origin
from desk.live import BACKLOG, LiveFeed, sse
from hotline.sections import DeskSettings
from hotline.settings import Settings
from hotline.web import bind_desk, desk_url

pytestmark = [pytest.mark.web]


@pytest.mark.anyio
async def test_a_watcher_gets_what_is_published_while_it_watches() -> None:
    feed = LiveFeed()
    feed.publish({"kind": "before", "call_id": "c"})
    with feed.watch() as events:
        feed.publish({"kind": "turn", "call_id": "c"})
        assert await events.receive() == {"kind": "turn", "call_id": "c"}
        feed.close()
        with pytest.raises(anyio.EndOfStream):
            await events.receive()
    with feed.watch() as late, pytest.raises(anyio.EndOfStream):
        await late.receive()


@pytest.mark.anyio
async def test_a_watcher_that_lags_is_cut_off_and_the_others_go_on() -> None:
    feed = LiveFeed()
    with feed.watch() as slow, feed.watch() as quick:
        for n in range(BACKLOG + 1):
            feed.publish({"kind": "turn", "n": n})
            assert (await quick.receive())["n"] == n
        received = [event["n"] async for event in slow]
        assert received == list(range(BACKLOG))
        feed.publish({"kind": "turn", "n": -1})
        assert (await quick.receive())["n"] == -1


@pytest.mark.anyio
async def test_server_sent_events_are_kept_alive_and_end_with_the_feed() -> None:
    feed = LiveFeed()
    stream = sse(feed, ping_s=0.01)
    assert await anext(stream) == "retry: 2000\n\n"
    assert await anext(stream) == ": still here\n\n"
    feed.close()
    assert [text async for text in stream if not text.startswith(":")] == []

    feed = LiveFeed()
    stream = sse(feed)
    await anext(stream)
    feed.publish({"kind": "turn", "text": "第一行\n第二行"})
    feed.close()
    rest = [text async for text in stream]
    assert [json.loads(text.removeprefix("data: ")) for text in rest] == [
        {"kind": "turn", "text": "第一行\n第二行"}
    ]
    assert rest[0].count("\n") == 2  # a line break in the words would end the event


def test_guessing_is_slowed_down_for_that_name_alone_and_not_for_ever() -> None:
    now = [0.0]
    throttle = Throttle(limit=2, window_s=60.0, clock=lambda: now[0])
    key, other = ("10.0.0.1", "li"), ("10.0.0.1", "wang")
    for at_s in (0.0, 10.0):
        now[0] = at_s
        assert throttle.wait_s(key) == 0.0
        throttle.failed(key)
    assert throttle.wait_s(key) == 50.0
    assert throttle.wait_s(other) == 0.0
    now[0] = 60.0
    assert throttle.wait_s(key) == 0.0


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({}, False),
        ({"origin": "http://desk:8012", "host": "desk:8012"}, True),
        ({"origin": "http://desk:8013", "host": "desk:8012"}, False),
        ({"origin": "http://desk.evil:8012", "host": "desk:8012"}, False),
        ({"origin": "http://inner:1", "host": "desk:8012", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://desk:8012", "host": "desk:8012", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_what_counts_as_the_desks_own_page(headers: dict[str, str], same: bool) -> None:
    assert same_origin(Headers(headers)) is same


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_desk_is_told_by_an_address_that_can_be_opened(host: str) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with bind_desk(Settings(desk=DeskSettings(host=host, port=0))) as listening:
        url = urlsplit(desk_url(listening))
        assert (url.hostname, url.port) == (host, listening.getsockname()[1])
