"""What a running server counts, how the counts of several processes are added up, and how they are shown.

Nothing here uses a loop or a socket: the packages above record what happens, ask for a snapshot, and answer with it.
"""
