"""What this server teaches the installed bokeh, all of it at once, and whether it could be taught."""

from __future__ import annotations

import logging

from app_server.document import changes, classes, current, ids, plain_values, speedups
from app_server.document.encoding import foreign
from app_server.document.pages import extensions

log = logging.getLogger(__name__)


def install() -> None:
    """Prepare bokeh for serving: a current document for each task, model ids for each session, changes one at a time.

    Idempotent.
    """
    import bokeh.models
    import bokeh.plotting

    foreign.install()
    extensions.install()
    for what, done in (
        ("curdoc() in concurrent callbacks", current.install()),
        ("changes from several threads", changes.install()),
        ("model classes in scripts", classes.install()),
        ("the same model ids after a restart", ids.install()),
        ("tables of models' defaults; applications start more slowly", speedups.install()),
        ("quick changes of plain values; all changes take longer", plain_values.install()),
    ):
        if not done:
            log.warning("This version of bokeh (%s) does not allow %s", bokeh.__version__, what)
