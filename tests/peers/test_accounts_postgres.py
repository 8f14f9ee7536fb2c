"""What accounts and the audit trail must do, once more on a real PostgreSQL, where nodes really race."""

from __future__ import annotations

import pytest

from tests.peers.postgres_server import server, url  # noqa: F401 - fixtures
from tests.unit.test_records_audit import (  # noqa: F401
    test_an_entry_says_who_did_what_when_and_from_where,
    test_entries_are_found_by_person_thing_action_and_time,
    test_listening_is_one_entry_for_person_call_address_and_time,
    test_what_is_undone_leaves_no_entry_and_what_leaves_none_is_undone,
)
from tests.unit.test_records_users import (  # noqa: F401 - collected here, with the `url` below
    clock,
    store,
    test_a_code_is_taken_once_and_no_older_one_after_it,
    test_a_lock_is_that_of_all_nodes_and_outlives_them,
    test_a_new_role_or_one_time_password_ends_sessions,
    test_a_second_factor_is_asked_for_once_it_was_confirmed,
    test_five_wrong_passwords_lock_for_a_minute_and_the_next_for_two,
    test_no_wrong_password_of_many_at_once_goes_uncounted,
    test_of_two_who_send_the_same_code_one_comes_in,
    test_the_last_admin_stays_one,
)

pytestmark = [pytest.mark.peers]
