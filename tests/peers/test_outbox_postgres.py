"""What the outbox must do, once more on a real PostgreSQL, where claims really run side by side."""

from __future__ import annotations

import pytest

from tests.peers.postgres_server import server, url  # noqa: F401 - fixtures
from tests.unit.test_records_outbox import (  # noqa: F401 - collected here, with the `url` below
    clock,
    store,
    test_a_change_that_is_undone_tells_nothing,
    test_a_claim_runs_out_and_another_node_takes_over,
    test_a_page_of_messages,
    test_filing_puts_in_the_whole_work_order_once,
    test_many_nodes_never_claim_the_same_message,
    test_only_what_is_there_and_not_under_way_can_be_sent_again,
    test_order_is_kept_for_each_work_order_and_for_nothing_else,
    test_what_failed_for_good_holds_up_nothing_and_can_be_sent_again,
    test_what_was_taken_is_forgotten_after_a_week,
    test_what_was_taken_is_not_sent_again_and_its_text_is_not_kept,
)

pytestmark = [pytest.mark.peers]
