"""What call-backs must do, once more on a real PostgreSQL, where claims really run side by side."""

from __future__ import annotations

import pytest

from tests.peers.postgres_server import server, url  # noqa: F401 - fixtures
from tests.unit.test_records_callbacks import (  # noqa: F401 - collected here, with the `url` below
    clock,
    store,
    test_a_page_has_those_of_a_status_newest_first,
    test_a_promise_is_kept_once_and_claimed_by_one_node_when_it_is_due,
    test_an_attempt_in_vain_is_made_again_later_until_it_has_failed,
    test_an_attempt_that_we_broke_off_does_not_count,
    test_many_nodes_claim_each_call_back_once,
    test_one_that_a_seat_was_given_waits_until_that_seat_is_free,
    test_one_that_failed_is_closed_by_hand_or_made_again,
    test_one_that_waits_can_be_cancelled,
    test_the_open_ones_are_listed_in_the_order_in_which_they_are_due,
    test_what_a_dead_node_was_dialling_goes_to_another,
    test_who_is_promised_twice_is_called_once_about_the_newer_matter,
    test_who_reaches_a_seat_meanwhile_is_not_called_back,
)

pytestmark = [pytest.mark.peers]
