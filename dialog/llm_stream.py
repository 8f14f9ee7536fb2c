"""One streamed chat completion from an OpenAI-compatible endpoint, with a time-out for every way to stall."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import httpx

from dialog import LlmError

_T = TypeVar("_T")
RETRYABLE_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class LlmTimeouts:
    """Seconds that may be spent waiting for the model.

    `idle_s` counts from one piece of text to the next: comments and empty events that a server sends to keep
    the connection alive do not reset it.
    """

    connect_s: float = 2.0
    first_token_s: float = 4.0
    idle_s: float = 2.5
    total_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants used, with its arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(slots=True)
class _Progress:
    """What has arrived of one completion."""

    texts: int = 0
    finished: bool = False
    names: dict[int, str] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)

    @property
    def arrived(self) -> int:
        """Grows with every piece of text or of a tool call."""
        return self.texts + len(self.names) + sum(map(len, self.arguments.values()))


async def stream_chat(
    client: httpx.AsyncClient, url: str, payload: Mapping[str, Any], timeouts: LlmTimeouts
) -> AsyncGenerator[str | ToolCall, None]:
    """Yield text as it comes, then the tool calls; raises LlmError, also for an empty answer."""
    progress = _Progress()
    try:
        async with aclosing(_events(client, url, payload, timeouts, progress)) as events:
            async for event in events:
                for text in _take(event, progress):
                    progress.texts += 1
                    yield text
    except httpx.HTTPError as error:
        raise LlmError(f"LLM connection failed: {type(error).__name__}", retryable=True) from error
    if not progress.finished:
        raise LlmError("LLM stream ended before the answer did", retryable=True)
    if not progress.texts and not progress.names:
        raise LlmError("LLM gave an empty answer", retryable=True)
    for index, name in sorted(progress.names.items()):
        yield ToolCall(name, _arguments(name, progress.arguments.get(index, "")))


async def _events(
    client: httpx.AsyncClient,
    url: str,
    payload: Mapping[str, Any],
    timeouts: LlmTimeouts,
    progress: _Progress,
) -> AsyncGenerator[Mapping[str, Any], None]:
    """The JSON events of the stream, while the time for waiting lasts.

    Only waiting counts, not the time in which the consumer speaks what has come so far.
    """
    patience = _Patience(timeouts.first_token_s, timeouts.total_s)
    limits = httpx.Timeout(timeouts.total_s, connect=timeouts.connect_s)
    request = client.build_request("POST", url, json=dict(payload), timeout=limits)
    response = await patience.wait(client.send(request, stream=True))
    try:
        if response.status_code != 200:
            status = response.status_code
            raise LlmError(f"LLM endpoint answered {status}", retryable=status in RETRYABLE_STATUS)
        lines = response.aiter_lines()
        heard = 0
        while (line := await patience.wait(anext(lines, None))) is not None:
            if line.strip() == "data: [DONE]":
                return
            if line.startswith("data:"):
                yield _json(line[5:])
            if progress.arrived > heard:
                heard, patience.token_s = progress.arrived, timeouts.idle_s
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()


@dataclass(slots=True)
class _Patience:
    """Seconds of waiting left: for the next token and in all."""

    token_s: float
    total_s: float

    async def wait(self, awaitable: Awaitable[_T]) -> _T:
        """The result of `awaitable`; raises LlmError when patience ends first."""
        start = anyio.current_time()
        with anyio.CancelScope(deadline=start + min(self.token_s, self.total_s)):
            result = await awaitable
            waited = anyio.current_time() - start
            self.token_s -= waited
            self.total_s -= waited
            return result
        raise LlmError("LLM too slow: no text in time", retryable=True)


def _json(data: str) -> Mapping[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise LlmError("LLM stream is not valid JSON", retryable=True) from error
    if not isinstance(event, dict):
        raise LlmError("LLM stream event is not an object", retryable=True)
    if "error" in event:
        raise LlmError("LLM endpoint reported an error within the stream", retryable=True)
    return event


def _take(event: Mapping[str, Any], progress: _Progress) -> list[str]:
    """Texts of an event; tool call parts are gathered in `progress`."""
    try:
        texts: list[str] = []
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            if delta.get("content"):
                texts.append(str(delta["content"]))
            for part in delta.get("tool_calls") or ():
                index, function = int(part.get("index", 0)), part.get("function") or {}
                if function.get("name"):
                    progress.names[index] = str(function["name"])
                arguments = progress.arguments.get(index, "") + (function.get("arguments") or "")
                progress.arguments[index] = arguments
            progress.finished = progress.finished or bool(choice.get("finish_reason"))
    except (AttributeError, TypeError, ValueError) as error:
        raise LlmError("LLM stream event has an unknown shape", retryable=True) from error
    return texts


def _arguments(name: str, text: str) -> Mapping[str, Any]:
    try:
        arguments = json.loads(text or "{}")
    except ValueError as error:
        raise LlmError(f"LLM called {name} with arguments that are not JSON", retryable=True) from error
    if not isinstance(arguments, dict):
        raise LlmError(f"LLM called {name} with arguments that are not an object", retryable=True)
    return arguments
