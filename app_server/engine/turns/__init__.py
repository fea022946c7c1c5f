"""When the turns of one session are taken: of messages, of callbacks, and of calls that wait for the document."""
