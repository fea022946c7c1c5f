"""Images of applications: what goes into them, and how they are built."""
