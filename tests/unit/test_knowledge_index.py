"""The index of passages: kept on disk, updated while it is read, whole after a crash."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from dialog.knowledge import Knowledge
from dialog.knowledge_index import CANDIDATES, STATE
from dialog.passages import Passage
from dialog.vectors import GATHERED, Vectors, name_of

pytestmark = [pytest.mark.unit]

TODAY = date(2025, 6, 1)
CARD = Passage("card", "社保卡丢了怎么补办？", "请带身份证到银行补办。", ("补办社保卡要带什么",))
HEATING = Passage(
    "heating",
    "暖气不热怎么办？",
    "请先放气，再报修。",
    ("家里暖气片是凉的",),
    "市住建局",
    "江北区",
    "供暖",
    "《办法》",
    date(2025, 1, 1),
    date(2025, 12, 31),
)
CHILD = """
import os, signal, sys
from pathlib import Path
from dialog.knowledge import Knowledge
from dialog.passages import Passage
knowledge = Knowledge(folder=Path(sys.argv[1]))
many = [Passage(f"p{number}", f"第{number}个问题怎么办", "答。") for number in range(300)]
killing = lambda done, total: os.kill(os.getpid(), signal.SIGKILL)
knowledge.update(many, ["card"], revision=2, progress=killing)
"""


def opened(folder: Path | None, *passages: Passage) -> Knowledge:
    return Knowledge(passages, lambda: TODAY, folder=folder)


def ids(knowledge: Knowledge, said: str) -> list[str]:
    return [hit.passage.id for hit in knowledge.search(said)]


def test_a_restart_finds_all_passages_as_they_were_and_their_revision(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert (first.revision, len(first)) == (0, 0)
    first.update([CARD, HEATING], revision=7)
    first.close()
    again = opened(tmp_path)
    assert (again.revision, len(again)) == (7, 2)
    assert sorted(again.all(), key=lambda p: p.id) == [CARD, HEATING]
    assert again.get("heating") == HEATING
    assert again.get("nothing") is None
    assert ids(again, "社保卡丢了")[0] == "card"


def test_first_passages_are_put_in_only_where_there_are_none(tmp_path: Path) -> None:
    assert opened(tmp_path, CARD).revision == 1
    assert list(opened(tmp_path, HEATING).all()) == [CARD]


def test_a_change_holds_at_once_and_what_is_removed_is_gone() -> None:
    knowledge = opened(None, CARD, HEATING)
    assert ids(knowledge, "社保卡丢了怎么补办")[0] == "card"
    changed = replace(CARD, answer="到社区补办。")
    knowledge.update([changed], ["heating"], revision=2)
    assert knowledge.search("社保卡丢了怎么补办")[0].passage == changed
    assert knowledge.get("heating") is None
    assert "heating" not in ids(knowledge, "暖气不热")
    assert (len(knowledge), knowledge.revision) == (1, 2)


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    many = [replace(CARD, id=f"card-{number}") for number in range(250)]
    opened(None).update(many, revision=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(100, 250), (200, 250), (250, 250)]


def test_passages_that_have_expired_take_no_place_of_others() -> None:
    old = [replace(CARD, id=f"old-{n}", valid_to=date(2025, 5, 31)) for n in range(4 * CANDIDATES)]
    knowledge = opened(None, *old, replace(CARD, id="new", question="补办社保卡", phrasings=()))
    assert ids(knowledge, "社保卡丢了怎么补办") == ["new"]


def test_a_process_killed_in_the_middle_of_an_update_leaves_what_was_before(tmp_path: Path) -> None:
    opened(tmp_path, CARD, HEATING).close()
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], cwd=root, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    again = opened(tmp_path)
    assert (again.revision, len(again)) == (1, 2)
    assert ids(again, "社保卡丢了")[0] == "card"
    again.update([], ["card"], revision=2)
    assert "card" not in ids(again, "社保卡丢了")


def emptied(folder: Path) -> None:
    for file in folder.glob("words/*"):
        file.write_bytes(b"")


def noted_by_another_version(folder: Path) -> None:
    state = folder / "words" / STATE
    state.write_text(json.dumps(json.loads(state.read_text()) | {"format": "older"}))


def without_its_documents(folder: Path) -> None:
    for file in folder.glob("words/*.store"):
        file.unlink()


@pytest.mark.parametrize("damage", [emptied, noted_by_another_version, without_its_documents])
def test_what_cannot_be_read_is_begun_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    opened(tmp_path, CARD).close()
    damage(tmp_path)
    again = opened(tmp_path)
    assert (again.revision, len(again)) == (0, 0)
    again.update([HEATING], revision=3)
    assert list(opened(tmp_path).all()) == [HEATING]


def some_vectors(count: int, size: int = 100) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    random = np.random.default_rng(1)
    vectors = (
        random.standard_normal((count, size)).astype(np.float32) + 2
    )  # far from the middle, as models are
    unit: np.ndarray[tuple[int, int], np.dtype[np.float32]] = vectors / np.linalg.norm(
        vectors, axis=1, keepdims=True
    )
    return unit


def test_the_nearest_vectors_are_found_among_more_than_are_compared_in_full(tmp_path: Path) -> None:
    vectors = some_vectors(5 * GATHERED)
    kept = Vectors(tmp_path / "vectors", "m")
    kept.add(range(1000, 1000 + GATHERED), vectors[:GATHERED])
    kept.add(range(1000 + GATHERED, 1000 + 5 * GATHERED), vectors[GATHERED:])
    kept.settle(range(1000, 1000 + 5 * GATHERED))
    for kept_or_opened in (kept, Vectors(tmp_path / "vectors", "m")):
        for number in range(0, len(vectors), 97):
            near = kept_or_opened.near(vectors[number], 3)
            assert near[0] == 1000 + number
        exact = np.argsort(-(vectors @ vectors[5]))[:3] + 1000
        assert kept_or_opened.near(vectors[5], 3) == exact.tolist()


def test_vectors_no_longer_wanted_are_forgotten_and_the_rest_still_found(tmp_path: Path) -> None:
    vectors = some_vectors(4)
    kept = Vectors(tmp_path / "vectors", "m")
    kept.add([10, 11, 12, 13], vectors)
    kept.settle([11, 13, 99])
    assert kept.missing([10, 11, 13]) == {10}
    assert Vectors(tmp_path / "vectors", "m").near(vectors[3], 5) == kept.near(vectors[3], 5) == [13, 11]
    assert len(Vectors(tmp_path / "vectors", "another model")) == 0


def test_a_row_half_written_is_cut_off(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    Vectors(folder, "m").add([1, 2], some_vectors(2))
    with (folder / "vectors.f16").open("ab") as file:
        file.write(b"half")
    opened_again = Vectors(folder, "m")
    opened_again.add([3], some_vectors(3)[2:])
    opened_again.settle([1, 2, 3])
    assert opened_again.near(some_vectors(3)[2], 1) == [3]


def test_a_vector_is_named_by_the_text_it_is_of() -> None:
    assert name_of(CARD) == name_of(replace(CARD, department="别处", valid_to=TODAY))
    assert len({name_of(CARD), name_of(replace(CARD, answer="别的。")), name_of(replace(CARD, id="b"))}) == 3
