"""What runs once in a process, for all of its sessions: the setup file, and scheduled tasks."""
