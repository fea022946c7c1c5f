"""Assignments to an attribute of an object from outside its class.

An object is finished when its constructor returns. What an assignment's object is follows from imports, annotations
and calls in the same function: objects of other projects are no concern of ours. `assignments.toml` lists what is
allowed besides, with its reason.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.house.sources import PACKAGE, Fault, Source

SETTERS = ("setattr", "delattr")
OWN = ("self", "cls")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Assignment:
    """An assignment: where it is, and its target as written, `session.wake`."""

    path: str
    line: int
    target: str


def find_assignments(sources: Iterable[Source]) -> list[Assignment]:
    """The assignments to attributes of objects that may be ours, from outside their class."""
    return [found for source in sources for found in _Walk(source).assignments()]


def judge(found: Sequence[Assignment], allowed: Mapping[str, Any]) -> list[Fault]:
    """A fault for each assignment that the list does not allow, and for each entry of the list that allows nothing.

    The list is a table of reasons for each path and target: `["app_server/x.py"]`, `"session.wake" = "why"`.
    """
    faults = [
        Fault(each.path, each.line, f"{each.target} is assigned from outside its class; {HINT}")
        for each in found
        if each.target not in allowed.get(each.path, {})
    ]
    used = Counter((each.path, each.target) for each in found)
    faults += [
        Fault(LIST, None, f"{path}: {target} is assigned nowhere. Remove the entry.")
        for path, targets in allowed.items()
        for target in targets
        if not used[path, target]
    ]
    return faults


LIST = "tools/house/assignments.toml"
HINT = "pass it to the constructor, or call a method."


class _Walk:
    """The functions of one file, with what the names in each are bound to."""

    def __init__(self, source: Source) -> None:
        self._path = source.path
        self._tree = source.tree
        self._foreign = foreign_names(source)
        self._found: list[Assignment] = []

    def assignments(self) -> Sequence[Assignment]:
        """What was found, in the order of lines."""
        self._visit(self._tree, None, set(self._foreign))
        return sorted(self._found, key=lambda each: each.line)

    def _visit(self, node: ast.AST, owner: str | None, fine: set[str]) -> None:
        """Look into a node of the class `owner`, where the names in `fine` may be assigned to."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                self._visit(child, child.name, fine)
            elif isinstance(child, Function):
                self._visit(child, owner, fine | set(self._fine_in(child, owner)))
            else:
                self._look(child, fine)
                self._visit(child, owner, fine)

    def _look(self, node: ast.AST, fine: set[str]) -> None:
        target = target_of(node)
        if target is not None and not is_fine(target, fine):
            self._found.append(Assignment(self._path, getattr(node, "lineno", 0), _written(node)))

    def _fine_in(self, function: Function, owner: str | None) -> Iterator[str]:
        """The names in a function that are bound to objects of others, or to new ones of the same class."""
        if owner is not None:
            yield from (*OWN, owner)
        arguments = function.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.annotation is not None and self._is_foreign(argument.annotation):
                yield argument.arg
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and self._makes_fine(node.value, owner):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.withitem) and self._makes_fine(node.context_expr, owner):
                if isinstance(node.optional_vars, ast.Name):
                    yield node.optional_vars.id
            elif isinstance(node, ast.ExceptHandler) and node.name and self._is_foreign(node.type):
                yield node.name

    def _makes_fine(self, value: ast.AST, owner: str | None) -> bool:
        """Whether an expression makes an object of the class itself, or calls what is not ours."""
        if not isinstance(value, ast.Call):
            return False
        made = ast.unparse(value.func)
        if made in ("object.__new__", "super().__new__", "copy.copy", "copy") and value.args:
            made = ast.unparse(value.args[0])
        return owner is not None and made in (owner, *OWN) or self._is_foreign(value.func)

    def _is_foreign(self, expression: ast.AST | None) -> bool:
        """Whether an annotation or a called name is of another project, or Python's."""
        if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
            expression = ast.parse(expression.value, mode="eval").body
        while isinstance(expression, (ast.Attribute, ast.Subscript)):
            expression = expression.value
        if isinstance(expression, ast.BinOp):
            return self._is_foreign(expression.left)
        return isinstance(expression, ast.Name) and expression.id in self._foreign


def foreign_names(source: Source) -> frozenset[str]:
    """The names in a file that an import from other projects, or from Python's library, binds; and its exceptions."""
    found = {name for name in dir(builtins) if name[0].isupper()}
    for node in source.nodes:
        if isinstance(node, ast.Import):
            names = (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            found.update(name for name in names if name != PACKAGE)
        elif isinstance(node, ast.ImportFrom) and (node.module or PACKAGE).partition(".")[0] != PACKAGE:
            found.update(alias.asname or alias.name for alias in node.names)
    return frozenset(found)


def target_of(node: ast.AST) -> ast.AST | None:
    """The object that a node assigns an attribute of, or deletes one of; None for Python's own, `__cause__`."""
    if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and not node.attr.startswith("__"):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SETTERS and node.args:
        return node.args[0]
    return None


def is_fine(target: ast.AST, fine: Collection[str]) -> bool:
    """Whether an object may be assigned to: it is bound to a name that may, or lies behind another project's name."""
    if isinstance(target, ast.Name):
        return target.id in fine
    # An attribute of `self` is not of self's class.
    while isinstance(target, (ast.Attribute, ast.Call, ast.Subscript)):
        target = target.func if isinstance(target, ast.Call) else target.value
    return isinstance(target, ast.Name) and target.id in fine and target.id not in OWN


def _written(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())
