"""Vectors from an endpoint that speaks the real protocol, and one that fails in every way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from dialog.breaker import FAILURES, REST_S
from dialog.embeddings import Embedder, EmbeddingsError
from dialog.knowledge import Knowledge
from dialog.masking import Masks
from dialog.passages import Passage
from dialog.places import load_gazetteer
from tests.peers.embeddings_server import ODD, EmbeddingsServer, embeddings_server, honest, of_size, vector

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

CARD = Passage("card", "社保卡丢了怎么补办？", "请带身份证到银行补办。", ("补办社保卡要带什么",))
HEATING = Passage("heating", "暖气不热怎么办？", "请先放气，再报修。", ("家里暖气片是凉的",))


class Clock:
    """Stands still until told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingsServer]:
    async with embeddings_server() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def embedder(server: EmbeddingsServer, clock: Clock) -> AsyncIterator[Embedder]:
    made = Embedder(server.url, "m", api_key="key", timeout_s=5.0, clock=clock)
    yield made
    await made.aclose()


def knowledge(embedder: Embedder, folder: Path | None = None) -> Knowledge:
    return Knowledge([CARD, HEATING], lambda: date(2025, 6, 1), folder=folder, embedder=embedder)


async def test_vectors_come_in_the_order_of_the_texts_over_one_connection(
    server: EmbeddingsServer, embedder: Embedder
) -> None:
    found = await embedder.embed(["社保卡", "暖气"])
    for row, text in zip(found, ["社保卡", "暖气"], strict=True):
        expected = np.array(vector(text)) / np.linalg.norm(vector(text))
        assert row == pytest.approx(expected, abs=1e-5)
    await embedder.query("社保")
    assert server.connections == 1
    assert "authorization: bearer key" in server.headers[0]


@pytest.mark.parametrize("fault", ODD)
async def test_an_odd_answer_is_refused_and_a_query_does_without(
    server: EmbeddingsServer, embedder: Embedder, fault: str
) -> None:
    server.script = ODD[fault]
    with pytest.raises(EmbeddingsError, match="embeddings endpoint answered"):
        await embedder.embed(["社保卡", "暖气"])
    if fault != "sizes that differ":  # of one text there is one size
        assert await embedder.query("暖气") is None


async def test_nobody_listening_is_an_error_and_a_query_does_without() -> None:
    embedder = Embedder("http://127.0.0.1:1/v1", "m")
    with pytest.raises(EmbeddingsError, match="failed: ConnectError"):
        await embedder.embed(["社保卡"])
    assert await embedder.query("社保卡") is None
    await embedder.aclose()


async def test_what_is_private_in_a_callers_words_does_not_leave(server: EmbeddingsServer) -> None:
    embedder = Embedder(server.url, "m", timeout_s=5.0, hide=lambda text: Masks(load_gazetteer()).mask(text))
    assert await embedder.query("我叫张伟，电话13800138000，住人民路18号，怎么补办社保卡") is not None
    (sent,) = server.asked[-1]
    assert "社保卡" in sent
    for private in ("张伟", "13800138000", "人民路18号"):
        assert private not in sent
    await embedder.aclose()


async def test_a_late_vector_is_done_without(server: EmbeddingsServer) -> None:
    embedder = Embedder(server.url, "m", timeout_s=0.05)
    server.free.clear()
    assert await embedder.query("社保卡") is None
    await embedder.aclose()


async def test_an_endpoint_that_keeps_failing_is_left_alone_for_a_while(
    server: EmbeddingsServer, embedder: Embedder, clock: Clock
) -> None:
    server.script = ODD["500"]
    for _ in range(FAILURES + 2):
        assert await embedder.query("社保卡") is None
    assert len(server.asked) == FAILURES
    assert embedder.state == "open"
    server.script = honest
    clock.now = REST_S
    assert await embedder.query("社保卡") is not None
    assert embedder.state == "closed"


async def test_a_passage_is_found_by_its_vector_where_no_word_is_shared(
    server: EmbeddingsServer, embedder: Embedder
) -> None:
    found = knowledge(embedder)
    assert [hit.passage for hit in await found.find("哆嗦")] == []
    assert await found.embed_missing() == 2
    server.script = lambda texts: honest([HEATING.question] * len(texts))
    hits = await found.find("哆嗦")
    assert hits[0].passage == HEATING
    assert hits[0].score < 0.45  # the words alone make sure
    server.script = ODD["500"]
    assert [hit.passage for hit in await found.find("哆嗦")] == []
    assert (await found.find("社保卡丢了怎么补办"))[0].passage == CARD


async def test_only_what_changed_is_asked_for_again_also_after_a_restart(
    server: EmbeddingsServer, embedder: Embedder, tmp_path: Path
) -> None:
    first = knowledge(embedder, tmp_path)
    assert await first.embed_missing() == 2
    assert await first.embed_missing() == 0
    first.close()
    again = knowledge(embedder, tmp_path)
    changed = Passage("card", CARD.question, "请带身份证到社区补办。", CARD.phrasings)
    again.update([changed], ["heating"], revision=2)
    assert await again.embed_missing() == 1
    assert [len(texts) for texts in server.asked] == [2, 1]
    server.script = lambda texts: honest([HEATING.question] * len(texts))
    assert [hit.passage for hit in await again.find("哆嗦")] == [changed]


async def test_what_came_before_a_failure_is_kept(
    server: EmbeddingsServer, embedder: Embedder, tmp_path: Path
) -> None:
    many = [Passage(f"p{number}", f"第{number}个问题", "答。") for number in range(100)]
    found = Knowledge(many, folder=tmp_path, embedder=embedder)
    server.script = lambda texts: honest(texts) if len(texts) == 64 else (500, b"")
    with pytest.raises(EmbeddingsError):
        await found.embed_missing()
    server.script = honest
    await found.embed_missing()
    assert [len(texts) for texts in server.asked] == [64, 36, 36]


async def test_vectors_of_another_size_are_refused(server: EmbeddingsServer, embedder: Embedder) -> None:
    found = knowledge(embedder)
    await found.embed_missing()
    found.update([Passage("new", "新问题", "答。")], revision=2)
    server.script = of_size(8)
    with pytest.raises(EmbeddingsError, match="vectors of 8 numbers, but those kept have 64"):
        await found.embed_missing()
    assert (await found.find("社保卡丢了怎么补办"))[0].passage == CARD
