"""The pages: each file in static/ holds what is its own; page.html and header.html are what all share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from string import Template
from typing import NamedTuple

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"


class WebPage(NamedTuple):
    """A page at `path`: its content is NAME.html, its script NAME.js, its further style sheet STYLE.css."""

    path: str
    name: str
    title: str
    style: str = ""
    header: bool = True


PAGES = (
    WebPage("/login", "login", "登录", header=False),
    WebPage("/", "calls", "通话记录"),
    WebPage("/calls/{call_id}", "call", "通话回放"),
    WebPage("/seat", "seat", "坐席", "seat"),
    WebPage("/callbacks", "callbacks", "回电任务", "keeping"),
    WebPage("/knowledge", "knowledge", "知识库", "keeping"),
    WebPage("/seats", "seats", "座位", "keeping"),
    WebPage("/outbox", "outbox", "工单推送", "keeping"),
    WebPage("/accounts", "accounts", "账号", "keeping"),
    WebPage("/audit", "audit", "操作记录", "keeping"),
    WebPage("/account", "account", "我的账号", "keeping"),
)


def add_pages(app: FastAPI) -> None:
    """Serve the pages, which are put together now, and the files that they load."""
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    def serve(html: str) -> Callable[[], Awaitable[HTMLResponse]]:
        async def page() -> HTMLResponse:
            return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

        return page

    for page in PAGES:
        app.add_api_route(page.path, serve(put_together(page)), include_in_schema=False)

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> FileResponse:
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


def put_together(page: WebPage) -> str:
    """A page's whole HTML."""
    style = f'<link rel="stylesheet" href="/static/{page.style}.css">\n' if page.style else ""
    return Template(_read("page.html")).substitute(
        title=page.title,
        name=page.name,
        style=style,
        header=_read("header.html") if page.header else "",
        content=_read(f"{page.name}.html"),
    )


def _read(file: str) -> str:
    return (STATIC / file).read_text(encoding="utf-8")
