"""What the database must do, once more on a real PostgreSQL."""

from __future__ import annotations

import pytest

from tests.peers.postgres_server import server, url  # noqa: F401 - fixtures
from tests.unit.test_records_knowledge import (  # noqa: F401 - collected here, with the `url` below
    store,
    test_a_change_made_for_an_older_revision_is_refused,
    test_a_new_database_has_no_revision_and_every_change_raises_it_by_one,
    test_a_page_shows_the_newest_change_first_and_finds_words,
    test_a_passage_without_its_essentials_is_refused_and_nothing_changes,
    test_a_thousand_are_removed_at_once,
    test_adding_wants_a_free_id_and_replacing_a_known_one,
    test_calls_are_found_by_what_the_agent_decided,
    test_many_writers_each_get_a_revision_of_their_own,
    test_what_is_put_in_is_found_with_all_its_fields,
    test_what_is_removed_is_gone_and_cannot_be_removed_twice,
    test_who_knows_a_revision_learns_what_came_after_it,
)

pytestmark = [pytest.mark.peers]
