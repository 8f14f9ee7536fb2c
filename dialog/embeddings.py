"""Vectors of texts from an OpenAI-compatible endpoint (POST {base_url}/embeddings), where one is configured.

They help to find passages and nothing waits for them: a query's vector that is late or fails is done without.

Errors, as a tree:

    EmbeddingsError         the endpoint gave no vectors; the message says why, never with the texts
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import httpx
import numpy as np
from numpy.typing import NDArray

from dialog.breaker import CircuitBreaker

BATCH = 64  # texts in one request
BATCH_TIMEOUT_S = 60.0  # for the vectors of passages, which no caller waits for
CONNECT_TIMEOUT_S = 5.0


class EmbeddingsError(Exception):
    """The endpoint gave no vectors; the message says why, never with the texts."""


class Embedder:
    """Asks an endpoint for vectors; pooled connections, shared by all calls.

    A query waits `timeout_s` at most; when queries keep failing, none is made for a while. `hide` takes
    out of a caller's words what is private, before they leave. `clock` gives seconds that never go back.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        timeout_s: float = 0.3,
        hide: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._url = base_url.rstrip("/") + "/embeddings"
        self._timeout_s = timeout_s
        self._hide = hide
        self._clock = clock
        self._breaker = CircuitBreaker()
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(BATCH_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        )

    @property
    def state(self) -> str:
        """Of the circuit breaker: "closed" while all is well, "open", "half-open"."""
        return self._breaker.state

    async def query(self, text: str) -> NDArray[np.float32] | None:
        """The unit vector of a caller's words; None where it is late, fails, or is not asked for."""
        if not self._breaker.may_ask(self._clock()):
            return None
        vectors: NDArray[np.float32] | None = None
        outcome = self._breaker.abandoned
        try:
            with anyio.move_on_after(self._timeout_s):
                vectors = await self.embed([self._hide(text)])
            outcome = self._succeeded if vectors is not None else self._failed
        except EmbeddingsError:
            outcome = self._failed  # shown by `state`; callers are found passages by words and sounds alone
        finally:
            outcome()
        return None if vectors is None else vectors[0]

    def _succeeded(self) -> None:
        self._breaker.succeeded()

    def _failed(self) -> None:
        self._breaker.failed(self._clock())

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of up to BATCH `texts`, one row each. Raises EmbeddingsError."""
        try:
            response = await self._client.post(self._url, json={"model": self.model, "input": list(texts)})
            if response.status_code != 200:
                raise EmbeddingsError(f"the embeddings endpoint answered {response.status_code}, not 200")
            answer: Any = response.json()
        except httpx.HTTPError as error:
            raise EmbeddingsError(f"the embeddings endpoint failed: {type(error).__name__}") from error
        except ValueError as error:
            raise EmbeddingsError("the embeddings endpoint answered no JSON") from error
        return _vectors(answer, len(texts))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _vectors(answer: Any, count: int) -> NDArray[np.float32]:
    """The vectors of an answer, in the order of the texts, of length 1. Raises EmbeddingsError."""
    try:
        rows = sorted(answer["data"], key=lambda row: int(row["index"]))
        numbers = [int(row["index"]) for row in rows]
        vectors = np.array([row["embedding"] for row in rows], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise EmbeddingsError("the embeddings endpoint answered no list of vectors of one size") from error
    if numbers != list(range(count)) or vectors.ndim != 2 or not vectors.shape[1]:
        raise EmbeddingsError(f"the embeddings endpoint answered not one vector for each of {count} texts")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not all(map(math.isfinite, lengths.ravel().tolist())) or not lengths.all():
        raise EmbeddingsError("the embeddings endpoint answered a vector that points nowhere")
    unit: NDArray[np.float32] = vectors / lengths
    return unit
