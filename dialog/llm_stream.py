"""One streamed chat completion from an OpenAI-compatible endpoint, with a time-out for every way to stall."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import httpx

from dialog import LlmError

_T = TypeVar("_T")
RETRYABLE_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})
DRAIN_S = 0.1  # for what a server sends after its answer, so that the connection can serve the next one
CLOSE_S = 1.0  # for closing a connection
_CLAUSE = re.compile(r"[，。！？；,!?;\n]")


@dataclass(frozen=True, slots=True)
class LlmTimeouts:
    """Seconds that may be spent waiting for the model.

    `idle_s` counts from the first words to the first clause, and from clause to clause, since nothing less
    can be spoken: neither blanks, nor single characters that drip in, nor comments and empty events that a
    server sends to keep the connection alive reset it. `tool_s` is for a tool call to come in whole.
    """

    connect_s: float = 2.0
    first_token_s: float = 4.0
    idle_s: float = 2.5
    tool_s: float = 6.0
    total_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants used, with its arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(slots=True)
class _Progress:
    """What has arrived of one completion."""

    pending: str = ""  # text after the last clause
    clauses: int = 0
    began: bool = False  # there are words
    finished: bool = False
    names: dict[int, str] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Grows with what brings the caller nearer to hearing something: the first words, clauses, a tool."""
        return self.began + self.clauses + bool(self.names)


async def stream_chat(
    client: httpx.AsyncClient, url: str, payload: Mapping[str, Any], timeouts: LlmTimeouts
) -> AsyncGenerator[str | ToolCall, None]:
    """Yield the text clause by clause as it comes, then the tool calls.

    The clauses together are the text, less blanks at its end. Raises LlmError, also for an empty answer.
    Closing the generator early closes the connection, so that the model stops.
    """
    progress = _Progress()
    try:
        async with aclosing(_events(client, url, payload, timeouts, progress)) as events:
            async for event in events:
                if clause := _take(event, progress):
                    yield clause
    except httpx.HTTPError as error:
        raise LlmError(f"LLM connection failed: {type(error).__name__}", retryable=True) from error
    if not progress.finished:
        raise LlmError("LLM stream ended before the answer did", retryable=True)
    if not progress.began and not progress.names:
        raise LlmError("LLM gave an empty answer", retryable=True)
    calls = [
        ToolCall(name, _arguments(name, progress.arguments.get(index, "")))
        for index, name in sorted(progress.names.items())
    ]
    if _speakable(progress.pending):
        yield progress.pending
    for call in calls:
        yield call


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
        steps = 0
        while (line := await patience.wait(anext(lines, None))) is not None:
            done = line.strip() == "data: [DONE]"
            if line.startswith("data:") and not done:
                yield _json(line[5:])
            if done or progress.finished:
                await _drain(lines)
                return
            if progress.steps > steps:
                steps = progress.steps
                patience.token_s = timeouts.tool_s if progress.names else timeouts.idle_s
    finally:
        with anyio.move_on_after(CLOSE_S, shield=True):
            await response.aclose()


async def _drain(lines: AsyncIterator[str]) -> None:
    """Read what follows a complete answer; how that goes is of no matter any more."""
    with anyio.move_on_after(DRAIN_S), suppress(httpx.HTTPError):
        async for _ in lines:
            pass


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


def _take(event: Mapping[str, Any], progress: _Progress) -> str:
    """The clauses that this event completes, "" for none; all else is gathered in `progress`."""
    try:
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            progress.pending += str(delta.get("content") or "")
            for part in delta.get("tool_calls") or ():
                index, function = int(part.get("index", 0)), part.get("function") or {}
                if function.get("name"):
                    progress.names[index] = str(function["name"])
                arguments = progress.arguments.get(index, "") + (function.get("arguments") or "")
                progress.arguments[index] = arguments
            # Some servers write the word null into every event.
            progress.finished = progress.finished or choice.get("finish_reason") not in (None, "", "null")
    except (AttributeError, TypeError, ValueError) as error:
        raise LlmError("LLM stream event has an unknown shape", retryable=True) from error
    progress.began = progress.began or _speakable(progress.pending)
    ends = [mark.end() for mark in _CLAUSE.finditer(progress.pending)]
    if not ends or not _speakable(progress.pending[: ends[-1]]):
        return ""
    clause, progress.pending = progress.pending[: ends[-1]], progress.pending[ends[-1] :]
    progress.clauses += 1
    return clause


def _speakable(text: str) -> bool:
    """Whether there is anything to hear in it, not only blanks and marks."""
    return any(char.isalnum() for char in text)


def _arguments(name: str, text: str) -> Mapping[str, Any]:
    try:
        arguments = json.loads(text or "{}")
    except ValueError as error:
        raise LlmError(f"LLM called {name} with arguments that are not JSON", retryable=True) from error
    if not isinstance(arguments, dict):
        raise LlmError(f"LLM called {name} with arguments that are not an object", retryable=True)
    return arguments
