"""The endpoints of a language model, asked in their order: the next where one fails before its first word."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import structlog

from dialog import LlmError
from dialog.breaker import CircuitBreaker
from dialog.llm_stream import LlmTimeouts, Patience, RestAsked, ToolCall, Wording, stream_chat

RETRY_S = 0.3  # of patience that must be left to ask another endpoint


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served: `base_url` as OpenAI clients take it (…/v1), `api_key` a bearer token.

    `logprobs`: it is asked for how probable its tokens were, which not every endpoint tells.
    """

    base_url: str
    model: str
    api_key: str | None = None
    logprobs: bool = False


class Resting(LlmError):
    """No endpoint may be asked now; their failures were told of when they happened."""


class Endpoints:
    """Streams completions; every endpoint has a breaker of its own."""

    def __init__(
        self, endpoints: Sequence[Endpoint], timeouts: LlmTimeouts, breakers: Sequence[CircuitBreaker] = ()
    ) -> None:
        if not endpoints:
            raise ValueError("an LLM needs at least one endpoint")
        self._endpoints = tuple(endpoints)
        self._breakers = tuple(breakers) or tuple(CircuitBreaker() for _ in endpoints)
        self._timeouts = timeouts
        self._client = httpx.AsyncClient()
        self._log = structlog.get_logger(__name__)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def resting(self) -> bool:
        """Whether no endpoint may be asked now."""
        return all(breaker.rests(anyio.current_time()) for breaker in self._breakers)

    async def chat(
        self, body: Mapping[str, Any], call_id: str, wording: Wording
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer to `body` (messages, tools …) as `stream_chat` yields it; `wording` is filled in.

        Asking again is safe while nothing has come: a completion has no effects. Raises LlmError: Resting
        where no endpoint may be asked, else that of the last endpoint.
        """
        patience = Patience(self._timeouts.first_token_s, self._timeouts.total_s)
        failed: LlmError | None = None
        for place, endpoint in enumerate(self._endpoints):
            if not self._breakers[place].may_ask(anyio.current_time()):
                continue
            began = False
            try:
                async with aclosing(self._ask(place, endpoint, body, patience, wording)) as items:
                    async for item in items:
                        began = True
                        yield item
                return
            except LlmError as error:
                if began or patience.token_s < RETRY_S:
                    raise
                failed = error
                self._log.info("llm_next_endpoint", call_id=call_id, failed=place, error=str(error))
        raise failed or Resting("LLM endpoints are all given a rest", retryable=True)

    async def _ask(
        self, place: int, endpoint: Endpoint, body: Mapping[str, Any], patience: Patience, wording: Wording
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer of one endpoint; how it went is told to its breaker."""
        breaker, told = self._breakers[place], False
        more = {"logprobs": True} if endpoint.logprobs else {}
        request = self._client.build_request(
            "POST",
            endpoint.base_url.rstrip("/") + "/chat/completions",
            json={"model": endpoint.model, "stream": True, **body, **more},
            headers={"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {},
            timeout=httpx.Timeout(self._timeouts.total_s, connect=self._timeouts.connect_s),
        )
        try:
            async with aclosing(
                stream_chat(self._client, request, self._timeouts, patience, wording)
            ) as stream:
                async for item in stream:
                    yield item
            told = True
            if breaker.succeeded():
                self._log.info("llm_back", endpoint=endpoint.model)
        except LlmError as error:
            told = True
            rest_s = error.rest_s if isinstance(error, RestAsked) else None
            if breaker.failed(anyio.current_time(), rest_s):
                left_s = breaker.rest_s if rest_s is None else rest_s
                self._log.warning(
                    "llm_given_a_rest", endpoint=endpoint.model, rest_s=left_s, error=str(error)
                )
            raise
        finally:
            if not told:
                breaker.abandoned()
