"""Reads deploy.yaml: a spec, or everything that is wrong with it at once."""

from __future__ import annotations

import contextlib
import glob
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from app_server.deployment.spec import Spec
from app_server.deployment.yaml_nodes import YamlEntry, YamlPlace, laid_over, parse
from app_server.errors import OperatorError, OperatorErrors, did_you_mean

DEFAULT_FILE = "deploy.yaml"
DEFAULT_NAME = "app-server"
"""The name of a deployment that states none."""
LONGEST_NAME = 32
"""As long as the name of a system's user may be."""
ENVIRONMENTS = "environments"


@dataclass(frozen=True)
class LoadedSpec:
    """A spec, and where each of its values was written."""

    spec: Spec
    entry: YamlEntry
    file: str
    environment: str | None = None
    overlays: tuple[YamlEntry, ...] = ()
    """what the environment lays over the rest"""
    secret_files: tuple[str, ...] = ()
    """the files of applications' secrets that the deployment or any of its environments names"""

    def is_inherited(self, *path: str) -> bool:
        """Whether an environment, as a deployment of its own, has a value that was stated for another one."""
        if self.environment is None or self.is_stated_there("name"):
            return False
        return not self.is_stated_there(*path)

    def is_stated_there(self, *path: str) -> bool:
        """Whether the environment itself states a value."""
        return any(overlay.find(path)[1] == path for overlay in self.overlays)

    def fault(self, path: tuple[str | int, ...], what: str, hint: str | None = None) -> OperatorError:
        """An error about the value that a path leads to, such as ("apps", "dash", "path")."""
        return fault_at(self.entry, path, what, hint)


def load(file: str | Path, environment: str | None = None) -> LoadedSpec:
    """The deployment that a file describes, for one of its environments if that is named.

    An environment is a block below `environments`, a file beside it (deploy.staging.yaml for `staging`), or both, of
    which the file counts. OperatorErrors holds every fault, each with file, line, column and key.
    """
    entry, faults = _read(str(file))
    overlays = _overlays(str(file), entry, environment, faults)
    base = _without_environments(entry)
    whole = base if environment is None else _of_environment(base, environment, overlays)
    spec, found = validated(whole)
    faults += found
    if environment is None:
        # Mistakes in an environment are reported now, not on the day when it is needed.
        for name, other in _blocks(entry).items():
            seen = {str(fault) for fault in faults}
            faults += [fault for fault in validated(laid_over(base, other))[1] if str(fault) not in seen]
            del name
    if faults or spec is None:
        raise OperatorErrors(_sorted(faults))
    return LoadedSpec(spec, whole, str(file), environment, tuple(overlays), tuple(_secret_files(str(file), entry)))


def loaded_from(text: str, file: str) -> LoadedSpec:
    """The deployment that this text would describe if it were the file's; OperatorErrors as `load`."""
    entry, faults = parse(text, file)
    base = _without_environments(entry)
    spec, found = validated(base)
    if faults or found or spec is None:
        raise OperatorErrors(_sorted([*faults, *found]))
    return LoadedSpec(spec, base, file)


def _without_environments(entry: YamlEntry) -> YamlEntry:
    if entry.items is None:
        return entry
    items = {key: value for key, value in entry.items.items() if key != ENVIRONMENTS}
    return YamlEntry(entry.place, items=items, key_places=entry.key_places)


def from_values(values: Mapping[str, Any], source: str) -> LoadedSpec:
    """The deployment that plain values describe, such as a command line's; `source` stands in for the file."""
    entry = _as_entry(values, YamlPlace(source, 1, 1))
    spec, faults = validated(entry)
    if faults or spec is None:
        raise OperatorErrors([OperatorError(fault.what, where=str(fault.where).removeprefix(f"{source}:1:1: "),
                                            hint=fault.hint) for fault in faults])  # fmt: skip
    return LoadedSpec(spec, entry, source)


def validated(entry: YamlEntry) -> tuple[Spec | None, list[OperatorError]]:
    """The spec that the entries make, or what is wrong with them."""
    if entry.items is None:
        return None, [OperatorError("expected lines of the form `key: value`", where=str(entry.place))]
    try:
        return Spec.model_validate(entry.value()), []
    except ValidationError as error:
        return None, list(_faults(entry, error))


def fault_at(entry: YamlEntry, path: tuple[str | int, ...], what: str, hint: str | None = None) -> OperatorError:
    """An error about what the path leads to."""
    place, done = entry.find(path)
    # For a value that is not in the file, not even in short form, show the whole name.
    name = dotted(done or path)
    return OperatorError(what, where=f"{place}: {name}" if name else str(place), hint=hint)


def dotted(path: Iterable[str | int]) -> str:
    """`apps.dash.args[0]` for the path of a value."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _read(file: str) -> tuple[YamlEntry, list[OperatorError]]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "`app-server init` writes one."
        raise OperatorError("there is no such file", where=file, hint=hint) from None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=file) from None
    except UnicodeDecodeError:
        raise OperatorError("is not UTF-8 text", where=file) from None
    return parse(text, file)


def _blocks(entry: YamlEntry) -> dict[str, YamlEntry]:
    found = (entry.items or {}).get(ENVIRONMENTS)
    return dict(found.items) if found is not None and found.items is not None else {}


def _secret_files(file: str, entry: YamlEntry) -> Iterator[str]:
    """The values of `service.secrets` for all environments, in blocks or in files of their own."""
    path = Path(file)
    layers = [entry, *_blocks(entry).values()]
    for beside in sorted(path.parent.glob(f"{glob.escape(path.stem)}.*{glob.escape(path.suffix)}")):
        with contextlib.suppress(OperatorError):
            layers.append(_read(str(beside))[0])
    for layer in layers:
        service = (layer.items or {}).get("service")
        secrets = (service.items or {}).get("secrets") if service is not None else None
        named = (secrets.items or {"file": secrets}).get("file") if secrets is not None else None
        if named is not None and named.text:
            yield named.text


def _overlays(file: str, entry: YamlEntry, environment: str | None, faults: list[OperatorError]) -> list[YamlEntry]:
    """The entries that an environment lays over the file's own, in their order."""
    block = (entry.items or {}).get(ENVIRONMENTS)
    if block is not None and block.items is None and (block.text or block.parts):
        what = "expected environments by name, each a block of keys"
        faults.append(OperatorError(what, where=f"{block.place}: {ENVIRONMENTS}"))
    for name, overlay in _blocks(entry).items():
        if overlay.items is None:
            where = f"{overlay.place}: {ENVIRONMENTS}.{name}"
            faults.append(OperatorError("expected lines of the form `key: value`", where=where))
    if environment is None:
        return []
    path = Path(file)
    beside = path.with_name(f"{path.stem}.{environment}{path.suffix}")
    known = _blocks(entry)
    if environment not in known and not beside.is_file():
        hint = did_you_mean(environment, known) or f"Write a block {ENVIRONMENTS}.{environment}, or a file {beside}."
        raise OperatorError(f"{file} has no environment {environment}", where="--environment", hint=hint)
    overlays = [known[environment]] if environment in known and known[environment].items is not None else []
    if beside.is_file():
        over, found = _read(str(beside))
        faults += found
        overlays.append(over)
    return overlays


def _of_environment(base: YamlEntry, environment: str, overlays: list[YamlEntry]) -> YamlEntry:
    """The entries of an environment: a deployment with a name of its own, `NAME-ENVIRONMENT` unless it states one."""
    whole = base
    for overlay in overlays:
        whole = laid_over(whole, overlay)
    if whole.items is None or any("name" in (overlay.items or {}) for overlay in overlays):
        return whole
    stated = whole.items.get("name")
    place = stated.place if stated is not None else overlays[0].place if overlays else base.place
    name = environment_name((stated.text if stated is not None else None) or DEFAULT_NAME, environment)
    if len(name) > LONGEST_NAME:
        what = f"{name}, the name of the environment {environment}, is longer than {LONGEST_NAME} characters"
        hint = f"Set a shorter one: {ENVIRONMENTS}.{environment}.name."
        raise OperatorErrors([OperatorError(what, where=f"{place}: name", hint=hint)])
    entry = YamlEntry(place, text=name)
    return laid_over(whole, YamlEntry(place, items={"name": entry}, key_places={"name": place}))


def environment_name(name: str, environment: str) -> str:
    """The name of a deployment in one of its environments, such as `sales-staging`."""
    return f"{name}-{re.sub(r'[^a-z0-9_-]+', '-', environment.lower())}"


def _faults(entry: YamlEntry, error: ValidationError) -> Iterator[OperatorError]:
    """What pydantic has found, in our words."""
    failed = [tuple(item["loc"]) for item in error.errors(include_url=False, include_context=False)]
    for item in error.errors(include_url=False):
        path = tuple(step for step in item["loc"] if step != "[key]")
        kind = item["type"]
        if kind == "extra_forbidden":
            hint = did_you_mean(str(path[-1]), keys_at(path[:-1]))
            known = ", ".join(sorted(keys_at(path[:-1])))
            yield fault_at(entry, path, "is not a known key", hint or f"There are {known}.")
        elif kind == "missing":
            place, done = entry.find(path[:-1])
            hint = "Such as `apps: {myapp: myapp.py}`." if path == ("apps",) else None
            yield OperatorError("is missing", where=f"{place}: {dotted(path)}", hint=hint)
        elif kind == "value_error":
            yield fault_at(entry, path, str(item["ctx"]["error"]))
        elif kind in ("dict_type", "model_type"):
            yield fault_at(entry, path, "expected lines of the form `key: value`")
        elif kind == "too_short":
            # Left over from elements that were refused on their own.
            if not any(other[: len(path)] == path and len(other) > len(path) for other in failed):
                yield fault_at(entry, path, "expected at least one")
        else:
            yield fault_at(entry, path, str(item["msg"]))


def keys_at(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys that the block has which a path leads to."""
    kind: Any = Spec
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(step))
            kind = _inner(field.annotation) if field is not None else None
        else:
            kind = _element(kind)
    return tuple(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def _inner(kind: Any) -> Any:
    """The type without `| None` and Annotated."""
    while get_origin(kind) is not None and (hasattr(kind, "__metadata__") or type(None) in get_args(kind)):
        kind = next(arg for arg in get_args(kind) if arg is not type(None))
    return kind


def _element(kind: Any) -> Any:
    arguments = [arg for arg in get_args(kind) if arg is not Ellipsis]
    return _inner(arguments[-1]) if arguments and get_origin(kind) is not Union else None


def _sorted(faults: list[OperatorError]) -> list[OperatorError]:
    """In the order of the file, as far as places tell."""

    def position(fault: OperatorError) -> tuple[str, int, int]:
        parts = (fault.where or "").split(":")
        numbers = [int(part) for part in parts[1:3] if part.strip().isdigit()]
        return parts[0], *(numbers + [0, 0])[:2]  # type: ignore[return-value]

    return sorted(faults, key=position)


def _as_entry(value: Any, place: YamlPlace) -> YamlEntry:
    if isinstance(value, Mapping):
        items = {str(key): _as_entry(item, place) for key, item in value.items()}
        return YamlEntry(place, items=items, key_places=dict.fromkeys(items, place))
    if isinstance(value, list | tuple):
        return YamlEntry(place, parts=[_as_entry(item, place) for item in value])
    if isinstance(value, bool):
        return YamlEntry(place, text="yes" if value else "no")
    return YamlEntry(place, text=None if value is None else str(value))
