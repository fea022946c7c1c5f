"""The console for operators: what the processes of a server answer to it, and the process that shows it."""
