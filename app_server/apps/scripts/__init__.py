"""Applications from files: scripts, notebooks and folders."""
