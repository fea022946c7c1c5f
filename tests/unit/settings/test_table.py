"""The table: names, defaults and their reasons."""

from __future__ import annotations

from dataclasses import fields

from app_server.settings import (
    Arity,
    Settings,
    all_settings,
)

FIELDS = (
    "port address unix_socket prefix show glob args dev dev_watch allow_websocket_origin use_xheaders ssl_certfile "
    "ssl_keyfile ssl_password session_ids secret_key session_token_expiration_s keep_alive_ms "
    "check_unused_sessions_ms unused_session_lifetime_ms stats_log_frequency_ms mem_log_frequency_ms "
    "websocket_max_message_size_bytes websocket_compression_level websocket_compression_mem_level include_headers "
    "exclude_headers include_cookies exclude_cookies cookie_secret enable_xsrf_cookies index disable_index "
    "disable_index_redirect ico_path page_parts log_level log_format log_file use_config env_file num_procs "
    "auth_module route "
    "drain_deadline_s token_payload basic_auth auth_header auth_header_from "
    "auth_header_groups access access_contact access_tokens authorize oidc_issuer oidc_client_id oidc_groups "
    "oauth_provider oauth_url oauth_authorize_url oauth_token_url oauth_user_url oauth_client_id oauth_client_secret "
    "oauth_scope oauth_user_id oauth_user_name oauth_groups oauth_allow oauth_redirect_url "
    "oidc_client_secret oidc_scope oidc_allow oidc_redirect_url login_lifetime_s drain_s hang_timeout_s "
    "start_timeout_s max_sessions max_sessions_per_address max_sessions_per_user log_json metrics block_limit_s "
    "max_jobs max_queued_jobs max_jobs_per_user "
    "isolation session_memory_mb session_cpu_s callback_limit_s request_timeout_s idle_timeout_s store store_ttl_s "
    "store_max_bytes store_max_bookmarks store_encrypt store_optional restore warm allow_load_tests "
    "record otel otel_user "
    "console console_auth console_audit console_peers setup static_dirs num_threads tasks"
).split()


def test_settings_have_the_names_that_other_rooms_use() -> None:
    assert sorted(item.name for item in fields(Settings)) == sorted(FIELDS)


def test_defaults_are_those_of_the_stock_command() -> None:
    settings = Settings()
    assert (settings.port, settings.session_token_expiration_s, settings.websocket_max_message_size_bytes) == (
        5006,
        300,
        20 * 1024 * 1024,
    )
    assert (settings.keep_alive_ms, settings.check_unused_sessions_ms, settings.unused_session_lifetime_ms) == (
        37000,
        17000,
        15000,
    )
    assert (settings.stats_log_frequency_ms, settings.mem_log_frequency_ms) == (15000, 0)


def test_every_setting_says_why_its_default_is_that() -> None:
    for setting in all_settings():
        assert setting.help and setting.reason, setting.name
        assert setting.flag is not None or setting.environment, f"{setting.name} cannot be set"


def test_no_default_would_be_refused_by_its_own_parser() -> None:
    for setting in all_settings():
        if setting.arity is Arity.ONE and setting.default is not None:
            assert setting.parse(str(setting.default)) == setting.default


def test_secrets_have_no_place_in_a_repr() -> None:
    shown = repr(Settings(secret_key="key-1", cookie_secret="key-2", ssl_password="key-3", store="redis://:key-4@h"))
    assert "key-" not in shown


def test_secret_key_and_password_have_no_flag() -> None:
    without = {setting.name for setting in all_settings() if setting.flag is None}
    assert without == {"secret_key", "ssl_password", "oidc_client_secret", "oauth_client_secret"}
