"""Says in the server's log when sessions of this application come and go."""


def on_server_loaded(server_context):
    """Called once, when the server starts."""
    print("myapp_dir: ready", flush=True)


def on_session_created(session_context):
    """Called for every visitor, before the document is built."""
    print("myapp_dir: a visitor came", flush=True)


def on_session_destroyed(session_context):
    """Called for every visitor who has left."""
    print("myapp_dir: a visitor left", flush=True)
