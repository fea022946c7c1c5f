"""What commands for deployments share: their flags, the deployment that a command line names, and its files."""
