"""THE GAUGES: what a running server counts, how the counts of several processes are added up, and how they are shown.

Nothing here knows a loop or a socket: `transport/` notes what happens, asks for a snapshot, and answers with it.
"""
