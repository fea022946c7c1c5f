"""Under gunicorn: `gunicorn -k app_server.gunicorn.Worker 'app_server.gunicorn:app("myapp.py")'`.

gunicorn listens, starts and ends the processes, and counts requests and seconds of silence; what the processes do is
what they do under `app-server serve --num-procs`. Each holds a share of the sessions (see `processes.elastic`):

    HUP           the new workers take the shares over; the old ones leave
    TTIN, TTOU    a new worker takes its share from the others; one that leaves gives its own to them
    a crash       the worker that gunicorn starts next takes the share that is free

Who leaves goes on with the sessions that are there, passes everything else on, and ends with the last session or when
gunicorn's graceful_timeout is nearly over.
"""

from app_server import system

system.require_processes("gunicorn", "Use app-server serve, or uvicorn with app_server.asgi.")

from app_server.gunicorn.applications import Applications, app  # noqa: E402
from app_server.gunicorn.worker import Worker  # noqa: E402

__all__ = ["Applications", "Worker", "app"]
