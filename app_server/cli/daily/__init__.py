"""Commands for a deployment that runs: `app-server deploy status`, `logs`, `maintenance`, `history` and `exec`."""
