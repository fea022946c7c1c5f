"""What outlives a process: journals of sessions, in a folder or in Redis. Blocking code without Tornado and asyncio."""
