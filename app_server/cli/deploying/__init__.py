"""Commands that write, check and roll out deployments."""
