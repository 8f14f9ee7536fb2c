"""One streamed chat completion from an OpenAI-compatible endpoint, with a time-out for every way to stall."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import anyio
import httpx

from dialog import LlmError

_T = TypeVar("_T")
RETRYABLE_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504})
DRAIN_S = 0.1  # for what a server sends after its answer, so that the connection can serve the next one
CLOSE_S = 1.0  # for closing a connection
MAX_CLAUSE = 200  # characters without an end that make no sentence
LEAST_LOGPROB = -10.0  # of one token; some services write -9999 for what they did not expect
MAX_REST_S = 300.0  # that a service may ask for at most
_CLAUSE = re.compile(r"[，。！？；,!?;\n]")
_NUMERAL = "0123456789零〇一二三四五六七八九十百千万幺两"
_THINK, _THOUGHT = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class LlmTimeouts:
    """Seconds that may be spent waiting for the model.

    `first_token_s` is for all endpoints that are asked in turn. `idle_s` counts from the first words to the
    first clause, and from clause to clause, since nothing less can be spoken: neither blanks, nor single
    characters that drip in, nor comments and empty events that a server sends to keep the connection alive
    reset it. `tool_s` is for a tool call to come in whole. None of these is above 2.5, so that a caller hears
    the embedded dialog within 3 s of whatever fails.
    """

    connect_s: float = 1.0
    first_token_s: float = 2.5
    idle_s: float = 2.5
    tool_s: float = 2.5
    total_s: float = 20.0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants used, with its arguments; None where they are not a JSON object."""

    name: str
    arguments: Mapping[str, Any] | None
    id: str = ""


class RestAsked(LlmError):
    """The endpoint asked to be left alone for `rest_s` seconds (Retry-After, RFC 9110 section 10.2.3)."""

    def __init__(self, message: str, rest_s: float) -> None:
        super().__init__(message, retryable=True)
        self.rest_s = rest_s


@dataclass(slots=True)
class Patience:
    """Seconds of waiting left: for the next token and in all."""

    token_s: float
    total_s: float

    async def wait(self, awaitable: Awaitable[_T]) -> _T:
        """The result of `awaitable`; raises LlmError when patience ends first."""
        start = anyio.current_time()
        try:
            with anyio.CancelScope(deadline=start + min(self.token_s, self.total_s)):
                return await awaitable
        finally:
            waited = anyio.current_time() - start
            self.token_s -= waited
            self.total_s -= waited
        raise LlmError("LLM too slow: no text in time", retryable=True)


@dataclass(slots=True)
class Wording:
    """How probable a model's words were to itself, as far as its endpoint tells (`logprobs`)."""

    tokens: int = 0
    logprobs: float = 0.0  # their sum

    def add(self, logprob: float | None) -> None:
        """Count one token; a value that says nothing (null, NaN) is passed over."""
        if logprob is not None and not math.isnan(logprob):
            self.tokens += 1
            self.logprobs += min(max(logprob, LEAST_LOGPROB), 0.0)

    @property
    def probability(self) -> float:
        """The geometric mean of the tokens' probabilities; 1 where none was told."""
        return math.exp(self.logprobs / self.tokens) if self.tokens else 1.0


@dataclass(slots=True)
class _Progress:
    """What has arrived of one completion."""

    unread: str = ""  # text that may be the beginning of a mark around the model's thoughts
    thinking: bool = False
    pending: str = ""  # text after the last clause
    clauses: int = 0
    began: bool = False  # there are words
    finished: bool = False
    names: dict[int, str] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Grows with what brings the caller nearer to hearing something: the first words, clauses, a tool."""
        return self.began + self.clauses + bool(self.names)


async def stream_chat(
    client: httpx.AsyncClient,
    request: httpx.Request,
    timeouts: LlmTimeouts,
    patience: Patience,
    wording: Wording,
) -> AsyncGenerator[str | ToolCall, None]:
    """Yield the text clause by clause as it comes, then the tool calls.

    The clauses together are the text, less blanks at its end and less what the model thinks aloud (<think>,
    reasoning_content). No number is cut. Raises LlmError, also for an empty answer. Closing the generator
    early closes the connection, so that the model stops. `wording` is filled in as the text comes.
    """
    progress = _Progress()
    try:
        async with aclosing(_events(client, request, timeouts, patience, progress)) as events:
            async for event in events:
                for clause in _take(event, progress, wording):
                    yield clause
    except httpx.HTTPError as error:
        raise LlmError(f"LLM connection failed: {type(error).__name__}", retryable=True) from error
    if not progress.finished:
        raise LlmError("LLM stream ended before the answer did", retryable=True)
    rest = progress.pending + ("" if progress.thinking else progress.unread)
    if not _speakable(rest) and not progress.clauses and not progress.names:
        raise LlmError("LLM gave an empty answer", retryable=True)
    if _speakable(rest):
        yield rest
    for index, name in sorted(progress.names.items()):
        call_id = progress.ids.get(index) or f"call_{index}"
        yield ToolCall(name, _arguments(progress.arguments.get(index, "")), call_id)


async def _events(
    client: httpx.AsyncClient,
    request: httpx.Request,
    timeouts: LlmTimeouts,
    patience: Patience,
    progress: _Progress,
) -> AsyncGenerator[Mapping[str, Any], None]:
    """The JSON events of the stream, while the time for waiting lasts.

    Only waiting counts, not the time in which the consumer speaks what has come so far.
    """
    response = await patience.wait(client.send(request, stream=True))
    try:
        if response.status_code != 200:
            raise _refusal(response)
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


def _refusal(response: httpx.Response) -> LlmError:
    """The error of a status other than 200."""
    status, asked = response.status_code, response.headers.get("retry-after", "").strip()
    message = f"LLM endpoint answered {status}"
    if asked.isdigit():
        return RestAsked(message, min(float(asked), MAX_REST_S))
    with suppress(ValueError, TypeError):  # a date, or nonsense
        rest_s = (parsedate_to_datetime(asked) - datetime.now(timezone.utc)).total_seconds()
        return RestAsked(message, min(max(rest_s, 0.0), MAX_REST_S))
    return LlmError(message, retryable=status in RETRYABLE_STATUS)


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


def _take(event: Mapping[str, Any], progress: _Progress, wording: Wording) -> list[str]:
    """The clauses that this event completes; all else is gathered in `progress`."""
    try:
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            thought = progress.thinking
            _read(str(delta.get("content") or ""), progress)
            if delta.get("content") and not (thought or progress.thinking):
                for token in (choice.get("logprobs") or {}).get("content") or ():
                    wording.add(token.get("logprob"))
            for part in delta.get("tool_calls") or ():
                index, function = int(part.get("index", 0)), part.get("function") or {}
                if function.get("name"):
                    progress.names[index] = str(function["name"])
                if part.get("id"):
                    progress.ids[index] = str(part["id"])
                arguments = progress.arguments.get(index, "") + (function.get("arguments") or "")
                progress.arguments[index] = arguments
            # Some servers write the word null into every event.
            progress.finished = progress.finished or choice.get("finish_reason") not in (None, "", "null")
    except (AttributeError, TypeError, ValueError) as error:
        raise LlmError("LLM stream event has an unknown shape", retryable=True) from error
    progress.began = progress.began or _speakable(progress.pending)
    clauses: list[str] = []
    while end := _first_end(progress.pending):
        clauses.append(progress.pending[:end])
        progress.pending = progress.pending[end:]
    if len(progress.pending) > MAX_CLAUSE:
        raise LlmError("LLM text has no clauses", retryable=True)
    progress.clauses += len(clauses)
    return clauses


def _read(text: str, progress: _Progress) -> None:
    """Put `text` into `progress.pending`, without what the model thinks aloud."""
    text, progress.unread = progress.unread + text, ""
    while text:
        before, found, text = text.partition(_THOUGHT if progress.thinking else _THINK)
        if not progress.thinking and _THOUGHT in before:  # some servers take off the opening mark
            progress.pending, before = "", before.rpartition(_THOUGHT)[2]
        if not found:
            begun = (n for n in range(len(_THOUGHT) - 1, 0, -1) if before[-n:] in (_THINK[:n], _THOUGHT[:n]))
            kept = len(before) - next(begun, 0)
            before, progress.unread = before[:kept], before[kept:]
        progress.pending += "" if progress.thinking else before
        progress.thinking = progress.thinking is not bool(found)


def _first_end(text: str) -> int:
    """Where the first whole clause of `text` ends, 0 where none does; never within a number or a mark.

    What cannot be heard, blanks and marks, goes with the words after it.
    """
    for mark in _CLAUSE.finditer(text):
        at, end = mark.start(), mark.end()
        number = text[at] in "，," and text[at - 1 : at] and text[at - 1] in _NUMERAL
        cut = number and (end == len(text) or text[end] in _NUMERAL)
        whole = text.count("【", 0, end) <= text.count("】", 0, end)
        if not cut and whole and _speakable(text[:end]):
            return end
    return 0


def _speakable(text: str) -> bool:
    """Whether there is anything to hear in it, not only blanks and marks."""
    return any(char.isalnum() for char in text)


def _arguments(text: str) -> Mapping[str, Any] | None:
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        return None
    return arguments if isinstance(arguments, dict) else None
