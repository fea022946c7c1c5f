"""What unmodified clients rely on, over the other transport: the tests of Tornado's, whose quick ones run here again.

With APP_SERVER_TEST_TRANSPORT=asgi, any test of tests/protocol is run over it.
"""

# ruff: noqa: F401
from __future__ import annotations

from tests.protocol.contract.test_callbacks import (
    test_asynchronous_callback_holds_the_document_until_it_ends,
    test_callback_that_raises_is_logged_with_its_session_and_leaves_it_usable,
    test_changes_between_awaits_are_sent_before_the_callback_ends,
    test_failing_hook_of_a_sessions_start_is_logged_and_the_session_is_built,
    test_no_next_tick_callback_of_eight_threads_is_lost,
    test_session_without_clients_ends_after_its_lifetime_and_its_hooks_run,
)
from tests.protocol.contract.test_contract import (
    test_application_sees_arguments_headers_and_cookies_of_the_page,
    test_autoload_is_a_script_with_token_element_and_resources,
    test_files_are_served,
    test_options_never_fails,
    test_page_answers_with_and_without_a_final_slash,
    test_session_id_as_header_names_the_session,
    test_socket_answers_with_the_subprotocol_bokeh_and_an_ack,
    test_socket_of_a_foreign_origin_is_forbidden,
    test_socket_of_an_application_that_fails_closes_with_1011,
    test_two_session_ids_at_once_are_forbidden,
    test_what_process_request_returns_is_in_the_tokens_payload,
)
from tests.protocol.contract.test_known_faults import test_edits_of_a_connection_lost_callback_reach_the_other_client
from tests.protocol.contract.test_messages import (
    pair,
    test_arrays_travel_in_buffers_from_the_server,
    test_arrays_travel_in_buffers_to_the_server,
    test_change_reaches_the_other_client_and_is_not_echoed,
    test_changes_of_one_turn_reach_all_clients_in_one_message,
    test_changes_of_threads_come_once_each_and_end_as_in_the_session,
    test_close_is_answered_with_its_code,
    test_derived_changes_come_before_the_ok,
    test_events_and_messages_reach_the_application,
    test_known_root_that_is_uploaded_again_may_be_larger_than_the_limit,
    test_malformed_message_ends_its_connection_with_a_legal_code,
    test_malformed_patch_is_answered_with_an_error,
    test_message_in_fragments_is_one_message,
    test_patches_of_columns_travel_both_ways,
    test_ping_is_answered,
    test_pushed_document_replaces_the_old_one,
    test_returning_client_finds_what_it_changed,
    test_roots_come_and_go,
    test_stock_client_pushes_a_session,
    test_streams_are_sent_once_each_and_in_order,
    test_value_that_cannot_be_written_harms_only_its_own_callback,
)
from tests.protocol.saving.conftest import place
from tests.protocol.saving.test_resuming import (
    test_page_of_a_saved_session_shows_what_was_saved,
    test_session_of_a_killed_server_goes_on_although_its_token_has_expired,
)
