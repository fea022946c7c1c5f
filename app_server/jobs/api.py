"""`submit` and `find`, as applications call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app_server.jobs.job import Job


def submit(
    function: Callable[..., Any],
    *args: Any,
    on_progress: Callable[[float | None, str], Any] | None = None,
    on_result: Callable[[Any], Any] | None = None,
    on_error: Callable[[BaseException], Any] | None = None,
    on_cancel: Callable[[], Any] | None = None,
    where: Any = "thread",
    name: str | None = None,
    keep_s: float = 600.0,
    timeout_s: float | None = None,
    document: Any = None,
    **kwargs: Any,
) -> Job:
    """Call `function(*args, **kwargs)` outside of the event loop, and return the job.

    The callbacks run like next-tick callbacks of the session, and may change the document:
    `on_progress(fraction, text)`, with 0 and "" when it begins and then for what the function has reported, and at the
    end one of `on_result(value)`, `on_error(exception)` and `on_cancel()`. Without `on_error`, a failure is logged.

    `where` is "thread", "process", or an executor of your own. The job ends with its session, unless it has a `name`:
    then it goes on for `keep_s` seconds without one, its result is kept as long, and `find` finds it. A job that takes
    longer than `timeout_s` seconds fails. `document` is the session's if `curdoc()` is not, as in a thread of yours.

    Raises JobsFull if too many jobs are running and queued, and JobError if the job cannot be done in this way.
    """
    from app_server.jobs.current import session_jobs
    from app_server.jobs.session_jobs import Order
    from app_server.jobs.watching import Callbacks

    callbacks = Callbacks(on_progress, on_result, on_error, on_cancel)
    return session_jobs(document).submit(function, args, kwargs, callbacks, Order(where, name, keep_s, timeout_s))


def find(
    name: str,
    *,
    on_progress: Callable[[float | None, str], Any] | None = None,
    on_result: Callable[[Any], Any] | None = None,
    on_error: Callable[[BaseException], Any] | None = None,
    on_cancel: Callable[[], Any] | None = None,
    on_lost: Callable[[Job], Any] | None = None,
    document: Any = None,
) -> Job | None:
    """The job that the session or its user has submitted with this name; None if there is none.

    From now on the job calls these callbacks, as it does those of `submit`: at once if it has ended already. If its
    process has ended before it was done, its state is "lost", and `on_lost(job)` is called, which can submit it again
    or tell the visitor. A lost job is found only once.
    """
    from app_server.jobs.current import session_jobs
    from app_server.jobs.watching import Callbacks

    callbacks = Callbacks(on_progress, on_result, on_error, on_cancel, on_lost)
    return session_jobs(document).find(name, callbacks)
