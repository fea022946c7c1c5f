"""Host names as browsers write them in addresses and headers."""

from __future__ import annotations


def ascii_host(host: str) -> str:
    """The host in lower-case ASCII: `xn--fa-hia.de` for `faß.de`. ValueError for what browsers do not accept as a host.

    Mapped as in UTS #46, non-transitional, which is what the URL standard has browsers do: "ß" stays a letter of its
    own and is not replaced by "ss", which may be another owner's name. Names that are ASCII already, with `_` or `*`,
    are kept as they are.
    """
    if host.isascii():
        return host.lower()
    # Few hosts need its large tables; and a wheel is built, with its manual pages, where idna is not installed.
    import idna

    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        return ".".join(map(_ascii_label, mapped.split(".")))
    except UnicodeError as error:  # idna's own errors are among these
        raise ValueError(f"{host!r} is not a host name: {error}") from error


def bracketed(host: str) -> str:
    """The host as a URL spells it: an IPv6 address has brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def _ascii_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
