"""A node's index follows the database: changes, restarts, backups, faults."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialog.knowledge import Knowledge
from dialog.passages import Passage
from hotline.errors import UsageError
from hotline.knowledge import begin_with, known_passages, passage_of, row_of
from hotline.knowledge_sync import KnowledgeSync
from hotline.settings import load_settings
from records.store import Store

pytestmark = [pytest.mark.unit]


def passage(id: str, question: str = "", **fields: object) -> Passage:
    return Passage(id, question or f"{id}怎么办？", f"答{id}。", **fields)  # type: ignore[arg-type]


def put(store: Store, *passages: Passage) -> None:
    store.put_passages(map(row_of, passages))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/hotline.db")
    yield store
    store.close()


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    knowledge = Knowledge(folder=tmp_path / "index")
    yield knowledge
    knowledge.close()


def ids(knowledge: Knowledge) -> set[str]:
    return {one.id for one in knowledge.all()}


def test_a_passage_goes_into_the_database_and_comes_back_the_same(store: Store) -> None:
    full = Passage(
        "a", "甲？", "乙。", ("丙", "丁"), "局", "区", "题", "源", date(2025, 3, 1), date(2025, 12, 31)
    )
    put(store, full, passage("b"))
    rows, _, _ = store.passages_since(0)
    assert [passage_of(row) for row in rows] == [full, passage("b")]


def test_a_new_database_begins_with_what_the_settings_name_and_only_once(
    store: Store, knowledge: Knowledge, tmp_path: Path
) -> None:
    file = tmp_path / "kb.csv"
    file.write_text("id,question,answer\na,甲怎么办？,乙。\n", encoding="utf-8")
    sync = KnowledgeSync(store, knowledge)
    sync.open(str(file))
    assert (ids(knowledge), knowledge.revision) == ({"a"}, 1)
    store.remove_passages(["a"])
    sync.open(str(file))
    assert (ids(knowledge), knowledge.revision) == (set(), 2), "who removed everything wants nothing"


def test_a_new_database_may_begin_with_the_sample_or_with_nothing(store: Store) -> None:
    assert begin_with(store, "none") is False
    assert store.knowledge_revision() == 0
    assert begin_with(store, "sample") is True
    assert store.count_passages() > 200
    assert begin_with(store, "sample") is False
    assert store.knowledge_revision() == 1


def test_what_the_settings_name_must_be_there_when_it_is_needed(store: Store, knowledge: Knowledge) -> None:
    with pytest.raises(UsageError, match=r"dialog\.knowledge: nowhere: no such file"):
        KnowledgeSync(store, knowledge).open("nowhere")
    put(store, passage("a"))
    KnowledgeSync(store, knowledge).open("nowhere")
    assert ids(knowledge) == {"a"}


def test_changes_are_taken_up_and_only_they(store: Store, knowledge: Knowledge) -> None:
    put(store, passage("a", "停水了怎么办？"), passage("b", "社保卡丢了怎么补办？"))
    sync = KnowledgeSync(store, knowledge)
    sync.open("none")
    assert knowledge.search("停水了怎么办")[0].passage.id == "a"
    put(store, passage("c", "停电了怎么办？"))
    store.remove_passages(["a"])
    with capture_logs() as logs:
        sync.refresh()
        sync.refresh()
    assert [(log["event"], log["changed"], log["removed"]) for log in logs] == [("knowledge_updated", 1, 1)]
    assert knowledge.search("停电了怎么办")[0].passage.id == "c"
    assert (ids(knowledge), knowledge.revision) == ({"b", "c"}, 3)


def test_a_restart_takes_up_what_happened_meanwhile_without_a_rebuild(store: Store, tmp_path: Path) -> None:
    put(store, *(passage(f"p{n}") for n in range(30)))
    first = Knowledge(folder=tmp_path / "index")
    KnowledgeSync(store, first).open("none")
    first.close()
    put(store, passage("new"))
    second = Knowledge(folder=tmp_path / "index")
    with capture_logs() as logs:
        KnowledgeSync(store, second).open("none")
    assert [log["changed"] for log in logs] == [1]
    assert len(second) == 31
    second.close()


def test_a_database_from_a_backup_makes_the_index_anew(store: Store, knowledge: Knowledge) -> None:
    put(store, passage("a"))
    put(store, passage("b"))
    put(store, passage("a", "另一个问题？"))
    sync = KnowledgeSync(store, knowledge)
    sync.open("none")
    with store._db.write() as connection:  # as a backup of the first revision would be
        connection.exec_driver_sql("DELETE FROM passages WHERE id = 'b'")
        connection.exec_driver_sql("UPDATE passages SET question = 'a怎么办？', revision = 1")
        connection.exec_driver_sql("UPDATE knowledge_revision SET revision = 1")
    with capture_logs() as logs:
        sync.refresh()
    assert [log["event"] for log in logs] == ["knowledge_remade"]
    assert (list(knowledge.all()), knowledge.revision) == ([passage("a")], 1)


def test_an_index_of_another_database_is_made_anew_at_the_start(store: Store, tmp_path: Path) -> None:
    knowledge = Knowledge([passage("x"), passage("y")], folder=tmp_path / "index")
    put(store, passage("a"))
    assert knowledge.revision == store.knowledge_revision() == 1
    KnowledgeSync(store, knowledge).open("none")
    assert ids(knowledge) == {"a"}
    knowledge.close()


def test_a_fault_of_the_database_is_told_once_and_survived(
    store: Store, knowledge: Knowledge, tmp_path: Path
) -> None:
    put(store, passage("a"))
    sync = KnowledgeSync(store, knowledge)
    sync.open("none")
    outside = sqlite3.connect(tmp_path / "hotline.db")
    with capture_logs() as logs:
        outside.execute("ALTER TABLE knowledge_revision RENAME TO away")
        sync.look()
        sync.look()
        assert knowledge.search("a怎么办")[0].passage.id == "a", "calls go on"
        outside.execute("ALTER TABLE away RENAME TO knowledge_revision")
        put(store, passage("b"))
        sync.look()
        sync.look()
    outside.close()
    events = ["knowledge_not_updated", "knowledge_updated", "knowledge_updated_again"]
    assert [log["event"] for log in logs] == events
    assert "no such table" in logs[0]["error"]
    assert ids(knowledge) == {"a", "b"}


def test_commands_take_the_database_s_passages_where_it_has_any_and_make_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kb.csv").write_text("id,question,answer\na,甲怎么办？,乙。\n", encoding="utf-8")
    Path("hotline.toml").write_text('[dialog]\nknowledge = "kb.csv"\n', encoding="utf-8")
    settings = load_settings()
    assert [one.id for one in known_passages(settings)] == ["a"]
    assert not Path("data").exists()
    store = Store(settings.records.url)
    assert [one.id for one in known_passages(settings)] == ["a"]
    put(store, passage("b"))
    assert [one.id for one in known_passages(settings)] == ["b"]
    store.remove_passages(["b"])
    assert known_passages(settings) == []
    store.close()
