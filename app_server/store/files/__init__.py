"""The files of a folder of saved sessions: locked, private, written in one step."""
