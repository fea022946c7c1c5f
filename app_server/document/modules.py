"""The modules of an application that a document keeps, until it ends."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType

from bokeh.document import Document
from bokeh.document.modules import DocumentModuleManager

from app_server.document import classes


class Modules(DocumentModuleManager):
    """Forgets an application's modules, and the model classes in them, without asking who refers to them."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._lock = threading.Lock()
        self._holds = 0
        self._left: Sequence[ModuleType] = ()
        """The modules of a document that has ended, whose names are still in use."""

    def names(self) -> frozenset[str]:
        """The names of the document's modules."""
        return frozenset(module.__name__ for module in self._modules)

    def add(self, module: ModuleType) -> None:
        super().add(module)
        classes.begin(module.__name__)

    def hold(self) -> Callable[[], None]:
        """Let functions of the modules find their globals after the document's end; call what is returned when done."""
        with self._lock:
            self._holds += 1
        return self._release

    def _release(self) -> None:
        with self._lock:
            self._holds -= 1
            left: Sequence[ModuleType] = ()
            if not self._holds:
                left, self._left = self._left, ()
        _empty(left)

    def destroy(self) -> None:
        modules: list[ModuleType] = self._modules
        self._modules = []
        classes.end([module.__name__ for module in modules])
        for module in modules:
            sys.modules.pop(module.__name__, None)
        with self._lock:
            if self._holds:
                self._left = (*self._left, *modules)
                return
        _empty(modules)


def _empty(modules: Sequence[ModuleType]) -> None:
    for module in modules:
        vars(module).clear()
