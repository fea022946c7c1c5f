"""The modules of an application that a document keeps, until it ends."""

from __future__ import annotations

import sys
from types import ModuleType

from bokeh.document.modules import DocumentModuleManager

from app_server.document import classes


class Modules(DocumentModuleManager):
    """Forgets an application's modules, and the model classes in them, without asking who refers to them."""

    def names(self) -> frozenset[str]:
        """The names of the document's modules."""
        return frozenset(module.__name__ for module in self._modules)

    def add(self, module: ModuleType) -> None:
        super().add(module)
        classes.begin(module.__name__)

    def destroy(self) -> None:
        modules: list[ModuleType] = self._modules
        self._modules = []
        classes.end([module.__name__ for module in modules])
        for module in modules:
            sys.modules.pop(module.__name__, None)
            vars(module).clear()
