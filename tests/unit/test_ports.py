"""What the dialog asks of the records, over a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dialog import CallContext, TicketDraft
from hotline.ports import RecordTickets
from records.store import Store
from records.writer import Writer

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

CALL = CallContext("c1", "13800138000")
LAMP = TicketDraft(
    "市政设施", "市住房和城乡建设局", "normal", "路灯不亮", "人民路18号路灯不亮。",
    {"place": "人民路18号", "matter": "路灯不亮", "name": "王", "contact": "13800138000"},
)  # fmt: skip


@pytest.fixture
def tickets(tmp_path: Path) -> Iterator[RecordTickets]:
    store = Store(f"sqlite:///{tmp_path}/a.db")
    writer = Writer(store)
    yield RecordTickets(store, writer)
    writer.close()
    store.close()


async def test_what_was_filed_is_found_by_its_number_and_by_the_number_called_from(
    tickets: RecordTickets,
) -> None:
    number = await tickets.file(CALL, "k1", LAMP)
    state = await tickets.by_number(number)
    assert state is not None
    assert (state.number, state.title, state.status) == (number, "路灯不亮", "已登记")
    assert (state.name, state.contact) == ("王", "13800138000")
    assert await tickets.by_caller("13800138000") == [state]
    assert await tickets.by_caller("13900139000") == []
    assert await tickets.by_number("00000000000") is None


async def test_an_open_one_about_the_same_trouble_is_found(tickets: RecordTickets) -> None:
    assert await tickets.open_like(LAMP) is None
    number = await tickets.file(CALL, "k1", LAMP)
    found = await tickets.open_like(LAMP)
    assert found is not None
    assert found.number == number
