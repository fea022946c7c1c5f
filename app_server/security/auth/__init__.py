"""Who a user is: hooks, passwords, trusted proxies, OpenID Connect, and signed cookies. Decisions, no I/O."""
