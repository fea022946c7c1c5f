"""Who somebody is: hooks, passwords, trusted proxies, OpenID Connect, and the seals on cookies. Decisions, no I/O."""
