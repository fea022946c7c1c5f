"""Hosts and ports in the form that addresses use."""

from __future__ import annotations

import ipaddress

from app_server.security.hostnames import bracketed


def is_address(host: str) -> bool:
    """Whether the host is an IP address, which clients never send as a server name in TLS (RFC 6066, section 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def authority(host: str, scheme: str, port: int) -> str:
    """HOST or HOST:PORT, as browsers spell it."""
    return bracketed(host) + ("" if port == (443 if scheme == "https" else 80) else f":{port}")
