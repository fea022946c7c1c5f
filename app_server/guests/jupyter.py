"""Widgets of Jupyter in Panel's documents: what ipywidgets keeps of each is to end with its session."""

from __future__ import annotations

import sys
from typing import Any

_WIDGETS = "ipywidgets.widgets.widget"
_COMMS = "comm"


def forget_widgets(document: Any) -> None:
    """Take the document's widgets out of the lists of the process, which nothing else does and which keep them.

    They are not closed: that would send their pages messages, and the pages are gone.
    """
    module: Any = sys.modules.get(_WIDGETS)
    if module is None or "panel.io.ipywidget" not in sys.modules:
        return
    manager: Any = sys.modules[_COMMS].get_comm_manager()
    for key, widget in list(module._instances.items()):
        if getattr(widget, "_document", None) is document:
            module._instances.pop(key, None)
            manager.comms.pop(key, None)
            widget.set_trait("comm", None)  # or it would be closed when it is collected


def leave_out_widgets(document: Any) -> None:
    """Do not save what the document's models say of widgets: a document that is built again has other ones."""
    module: Any = sys.modules.get("ipywidgets_bokeh.widget")
    context = document.session_context
    if module is None or context is None:
        return
    for model in document.models:
        if isinstance(model, module.IPyWidget):
            context.exclude_from_store(model)
