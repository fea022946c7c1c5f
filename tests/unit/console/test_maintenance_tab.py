"""What the tab of maintenance does with the instance that was chosen."""

from __future__ import annotations

from bokeh.events import ButtonClick
from bokeh.models.widgets import Button, Select

from app_server.console.kit import Kit
from app_server.console.tabs.base import Order, PageParts
from app_server.console.tabs.maintenance import MaintenanceTab

ONE, OTHER = {"name": "a", "address": ""}, {"name": "b", "address": "unix:/run/b.sock"}


def test_instance_that_has_gone_is_said_to_have() -> None:
    orders: list[Order] = []
    said: list[str] = []
    tab = MaintenanceTab(PageParts(Kit(), orders.extend, said.append, lambda session: None))
    _, where, _, buttons, _ = tab.widgets
    assert isinstance(where, Select)
    (off,) = buttons.select({"type": Button, "name": "Maintenance off"})
    tab.show([ONE, OTHER])
    where.update(value="b")
    off._trigger_event(ButtonClick(off))
    assert [(order.address, order.fields["act"]) for order in orders] == [("unix:/run/b.sock", "maintenance off")]
    tab.show([ONE])
    off._trigger_event(ButtonClick(off))
    assert len(orders) == 1 and said == ["b is not among the instances any more. Choose another one."]
