"""The script by which a page of a developer's server loads itself again."""

from __future__ import annotations

from app_server.page import live_reload_script


def test_the_reload_script_cannot_be_left_by_its_address() -> None:
    script = live_reload_script("/</script><script>alert(1)//")
    assert script.lower().count("</script") == script.lower().count("<script") == 1
    assert 'const url = "/_dev/reload";' in live_reload_script("/_dev/reload")
