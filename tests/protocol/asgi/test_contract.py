"""What unmodified clients rely on, over the other transport: the tests of Tornado's, whose quick ones run here again.

With APP_SERVER_TEST_TRANSPORT=asgi, any test of tests/protocol is run over it.
"""

from __future__ import annotations

__all__ = [name for name in globals() if name.startswith("test_") or name in ("pair", "place")]
