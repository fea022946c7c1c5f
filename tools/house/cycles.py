"""Files that import each other, directly or through others, also from inside functions."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tools.house.sources import PACKAGE, Fault, Source

Imports = Mapping[str, Mapping[str, int]]
"""For each module the modules of ours that it imports, with the line of the first import."""


def find_cycles(sources: Sequence[Source]) -> list[Fault]:
    """One fault for each group of files that reach each other, which names the shortest ring in it."""
    imports = imports_of(sources)
    paths = {source.module: source.path for source in sources}
    faults = []
    for group in strongly_connected(imports):
        ring = shortest_ring(imports, group)
        fault = f"files import each other: {' -> '.join([*ring, ring[0]])}"
        following = ring[1] if len(ring) > 1 else ring[0]
        faults.append(Fault(paths[ring[0]], imports[ring[0]][following], fault))
    return faults


def imports_of(sources: Iterable[Source]) -> Imports:
    """What each file imports of the others. A package's own file is imported only for a name that it defines."""
    by_module = {source.module: source for source in sources}
    found: dict[str, dict[str, int]] = {}
    for module, source in by_module.items():
        found[module] = {}
        for name, line in imported_names(source):
            target = name if name in by_module else name.rpartition(".")[0]
            if target in by_module:
                found[module].setdefault(target, line)
    return found


def imported_names(source: Source) -> Iterator[tuple[str, int]]:
    """The dotted names of ours that a file imports: modules, or names in modules; each with its line."""
    package = source.module if source.path.endswith("/__init__.py") else source.module.rpartition(".")[0]
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names if _is_ours(base))


def _is_ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(f"{PACKAGE}.")


def strongly_connected(imports: Imports) -> list[list[str]]:
    """The groups of modules that reach each other (Tarjan, 1972), sorted; a module alone only if it imports itself."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for target in imports[module]:
            if target not in order:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], order[target])
        if low[module] == order[module]:
            at = stack.index(module)
            groups.append(sorted(stack[at:]))
            del stack[at:]

    for module in imports:
        if module not in order:
            visit(module)
    return sorted(group for group in groups if len(group) > 1 or group[0] in imports[group[0]])


def shortest_ring(imports: Imports, group: Sequence[str]) -> list[str]:
    """The fewest modules of the group that import each other in a ring."""
    rings = (_ring_from(imports, start, set(group)) for start in group)
    return min(rings, key=len)


def _ring_from(imports: Imports, start: str, group: set[str]) -> list[str]:
    """The shortest way from a module of the group back to it."""
    ways = deque([[start]])
    seen: set[str] = set()
    while ways:
        way = ways.popleft()
        if start in imports[way[-1]]:
            return way
        following = [target for target in imports[way[-1]] if target in group and target not in seen]
        seen.update(following)
        ways.extend([*way, target] for target in following)
    raise ValueError(f"no ring leads through {start}")
