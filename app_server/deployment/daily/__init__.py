"""What operators do with a deployment that runs: look at it, read its logs, close it for a while, run a command."""
