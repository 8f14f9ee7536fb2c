"""The server of the desk: whom it keeps connected."""

from __future__ import annotations

import contextlib
import socket
import time
from http.client import HTTPConnection

import anyio
import pytest
from fastapi import FastAPI

from hotline.web import desk_server

pytestmark = [pytest.mark.web]

IDLE_S = 5.5  # uvicorn's own limit, and the time clients keep a connection for, is 5


def test_a_client_that_was_idle_for_a_while_finds_its_connection_open() -> None:
    def ask_twice(port: int) -> list[int]:
        with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=10)) as client:
            client.auto_open = 0  # it would connect again unseen
            client.connect()
            answers = [_status(client)]
            time.sleep(IDLE_S)
            return [*answers, _status(client)]

    async def serve() -> list[int]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(desk_server(FastAPI()).serve, [listening])
                answers = await anyio.to_thread.run_sync(ask_twice, listening.getsockname()[1])
                tasks.cancel_scope.cancel()
        return answers

    assert anyio.run(serve) == [404, 404]


def _status(client: HTTPConnection) -> int:
    client.request("GET", "/nothing")
    with client.getresponse() as response:
        response.read()
        return response.status
