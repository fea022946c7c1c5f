"""Mozilla's guideline for TLS, read from the versioned data beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

# The same in C, where PyYAML was built with it: much faster.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

ProfileName = Literal["intermediate", "modern"]


@dataclass(frozen=True, slots=True)
class CertificateRules:
    """What the guideline requires of a site's certificate; `rsa_bits` is None if RSA keys are not allowed."""

    keys: tuple[str, ...]
    curves: tuple[str, ...]
    rsa_bits: int | None
    signatures: tuple[str, ...]
    longest_days: int


@dataclass(frozen=True, slots=True)
class Profile:
    """One level of compatibility; ciphers (of TLS 1.2) and groups in order of preference, in OpenSSL's names."""

    name: str
    protocols: tuple[str, ...]
    ciphers: tuple[str, ...]
    ciphersuites: tuple[str, ...]
    groups: tuple[str, ...]
    server_preference: bool
    hsts_s: int
    certificate: CertificateRules


@dataclass(frozen=True, slots=True)
class Guideline:
    """One version of the guideline."""

    version: str
    published: date
    source: str
    profiles: Mapping[str, Profile]

    def __str__(self) -> str:
        return f"Mozilla's guideline {self.version} of {self.published}"


@cache
def guideline() -> Guideline:
    """The newest guideline that there is data for."""
    files = [each for each in resources.files(__package__).iterdir() if each.name.endswith(".yaml")]
    found = [_read(yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)) for file in files]
    return max(found, key=lambda each: each.published)


def _read(data: Mapping[str, Any]) -> Guideline:
    profiles = {name: _profile(name, values) for name, values in data["profiles"].items()}
    return Guideline(data["version"], data["published"], data["source"], profiles)


def _profile(name: str, values: Mapping[str, Any]) -> Profile:
    certificate = CertificateRules(**_frozen(values["certificate"]))
    return Profile(name=name, **{**_frozen(values), "certificate": certificate})


def _frozen(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
