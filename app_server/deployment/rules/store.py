"""Where sessions are saved, and who can reach and read that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.access import has_login
from app_server.deployment.rules.verdict import Path, Rule, RuleVerdict, fault, warning

_STORE: Final[Path] = ("sessions", "store")
_SCHEMES: Final = ("redis", "rediss", "unix")
_OWN_MACHINE: Final = ("localhost", "127.0.0.1", "::1", "")
_ON_MACHINES: Final = ("containers", "cluster", "platform")
"""The layouts of containers that are spread over machines."""


def sessions_are_saved_in_one_place(plan: Plan) -> Iterator[RuleVerdict]:
    """The address is either in the file or in a secret."""
    if plan.spec.secrets.store is not None and plan.spec.sessions.store is not None:
        yield fault(("secrets", "store"), "sessions.store says already where sessions are saved", "Remove one of them.")


def addresses_of_stores_can_be_read_and_have_no_password(plan: Plan) -> Iterator[RuleVerdict]:
    """Everyone may read deploy.yaml, the files that are generated from it, and the arguments of a process."""
    text = plan.spec.sessions.store
    if text is None or "://" not in text:
        return
    parts = _parts(text)
    # No message quotes the address.
    if parts is None or parts.scheme not in _SCHEMES:
        what = "expected an address that begins with redis://, rediss:// or unix://"
        yield fault(_STORE, what, "Write %40 for @, %2F for / and %3A for : in a name.")
    elif _has_password(parts):
        what = "the address has a password, which everyone can read here"
        yield fault(_STORE, what, "Write the address to a file, and set secrets.store: {file: PATH} instead.")


def instances_reach_their_store(plan: Plan) -> Iterator[RuleVerdict]:
    """What is only on the machine, or in the container, of an instance is another store for each."""
    parts = _parts(plan.spec.sessions.store or "")
    if parts is None or parts.scheme not in _SCHEMES:
        return
    if parts.scheme == "unix" and plan.layout != "host":
        yield fault(_STORE, "containers cannot reach a socket of the host", "Use redis:// and a name or an address.")
    elif parts.scheme == "unix" or (parts.hostname or "") in _OWN_MACHINE:
        hint = "Name a Redis or Valkey that all of them reach."
        if plan.is_spread:
            yield fault(_STORE, "each host would save sessions of its own", hint)
        elif plan.layout != "host":
            yield fault(_STORE, "each container would look for it in itself", hint)


def folders_are_of_one_host(plan: Plan) -> Iterator[RuleVerdict]:
    """A session that moves to another host is not in that host's folder."""
    stated = plan.spec.sessions.store
    if plan.layout in _ON_MACHINES:
        own = "valkey, " if plan.layout != "platform" else ""  # platforms start none of ours
        hint = f"Set it to {own and own + 'or to '}the address of a Redis or Valkey."
        if plan.store.kind == "folder":
            yield fault(_STORE, "a folder in a container is lost with it, and no other container has it", hint)
        elif stated is None and plan.store.kind == "off":
            what = "sessions are not saved, because containers on several machines share no folder"
            yield warning(_STORE, what, f"Set it to {own and own + 'to '}the address of a Redis or Valkey, or to off.")
    elif plan.store.kind == "folder" and plan.layout == "host" and plan.is_spread:
        what = (
            "only the instances of one host share a folder: a session that moves to another host starts again there, "
            "and the sessions of a lost host are gone"
        )
        yield warning(_STORE, what, "Set it to the address of a Redis or Valkey that all hosts reach, or to off.")


def valkey_is_for_containers_on_several_machines(plan: Plan) -> Iterator[RuleVerdict]:
    """Only a swarm and a cluster run what they are not asked for by name."""
    if plan.store.kind != "valkey" or plan.layout in _ON_MACHINES:
        return
    if plan.layout == "host":
        hint = "Install Valkey or Redis on one of the hosts, and set this to its address."
        yield fault(_STORE, "only a swarm and a cluster can have a Valkey of the deployment", hint)
    else:
        yield fault(_STORE, "containers on one machine need no Valkey: they share a volume", "Remove it.")


def encryption_needs_a_key(plan: Plan) -> Iterator[RuleVerdict]:
    """The server does not start without one."""
    if plan.spec.sessions.store_encrypt and plan.store.kind != "off" and plan.spec.secrets.secret_key is None:
        path = ("sessions", "store_encrypt")
        yield fault(path, "saved sessions are encrypted with the secret key", "Set secrets.secret_key.")


def saved_sessions_can_be_read_after_a_restart(plan: Plan) -> Iterator[RuleVerdict]:
    """Behind a login, sessions are signed, by default with a key that each instance generates when it starts."""
    spec = plan.spec
    has_key = spec.secrets.secret_key is not None or spec.secrets.cookie_secret is not None
    if has_login(spec) and not has_key and plan.store.kind != "off" and spec.sessions.ids is None:
        what = "each instance generates a key when it starts, and cannot read afterwards what it saved"
        yield warning(_STORE, what, "Set secrets.secret_key, or set this to off.")


def _parts(text: str) -> SplitResult | None:
    """The parts of an address; None if it cannot be read."""
    try:
        parts = urlsplit(text)
        fits = parts.port != 0 and "@" not in parts.path
    except ValueError:
        return None
    return parts if fits else None


def _has_password(parts: SplitResult) -> bool:
    asked = any(name.lower().endswith("password") for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return bool(parts.password) or asked


RULES: Final[tuple[Rule, ...]] = (
    sessions_are_saved_in_one_place,
    addresses_of_stores_can_be_read_and_have_no_password,
    instances_reach_their_store,
    folders_are_of_one_host,
    valkey_is_for_containers_on_several_machines,
    encryption_needs_a_key,
    saved_sessions_can_be_read_after_a_restart,
)
