"""The processes of one server: how they divide its sessions, and how they reach each other."""
