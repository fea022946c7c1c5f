"""How jobs run: their pool, its threads and processes, executors of applications, and what is sent to a process."""
