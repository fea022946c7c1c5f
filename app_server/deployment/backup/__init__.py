"""Backups of deployments: which files and sessions belong to one, and how they are reached where it runs."""
