"""Types of words with a meaning: names, paths, hosts, origins, headers."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from app_server.deployment.spec.readers import Reader, text, whole
from app_server.security.hostnames import ascii_host, bracketed
from app_server.sources.route_patterns import check_placeholders


def _is_host(word: str) -> bool:
    name = word.lower().rstrip(".")
    labels = name.split(".")
    return len(name) <= 253 and all(len(label) <= 63 and label[0] != "-" and label[-1] != "-" for label in labels)


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word.strip("[]"))
    except ValueError:
        return False
    return "%" not in word


def _host(word: str) -> str | None:
    """A name or an address in lower case, as browsers send it; an IPv6 address without brackets."""
    if _is_address(word):
        return str(ipaddress.ip_address(word.strip("[]")))
    try:
        word = ascii_host(word)
    except ValueError:
        return None
    # A name all of digits and dots would be an address that is not one.
    if re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", word) and not re.fullmatch(r"[0-9.]+", word):
        return word.lower() if ".." not in word and _is_host(word) else None
    return None


def _origin(word: str) -> str | None:
    """`scheme://host[:port]`, as a browser's Origin header spells it."""
    try:
        parts = urlsplit(word if "://" in word else f"https://{word}")
        host = _host(parts.hostname or "")
        port = parts.port
    except ValueError:
        return None
    if host is None or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query or parts.fragment:
        return None
    if parts.username is not None:
        return None
    default = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{bracketed(host)}" + (f":{port}" if port not in (None, default) else "")


def _network(word: str) -> str | None:
    try:
        return str(ipaddress.ip_network(word, strict=True)) if "%" not in word else None
    except ValueError:
        return None


def _url(word: str) -> str | None:
    try:
        parts = urlsplit(word)
        fits = parts.scheme in ("http", "https") and _host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return None
    name = parts.hostname or ""
    if fits and not name.isascii():
        word = word.replace(parts.netloc, parts.netloc.lower().replace(name, ascii_host(name)), 1)
    plain = re.fullmatch(r"[A-Za-z0-9:/?#\[\]@!&()*+,=._~%-]+", word)
    return word if fits and plain and parts.username is None and not parts.fragment else None


def _has_placeholders_in_order(path: str) -> bool:
    try:
        check_placeholders(path)
    except ValueError:
        return False
    return True


# Control characters, line separators and the like: nothing that a file of lines could carry.
_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]"

Name = Annotated[
    str, text("a name of a-z, 0-9, '_' and '-' that begins with a letter, at most 32", r"[a-z][a-z0-9_-]{0,31}")
]

AppName = Annotated[str, text("a name of letters, digits, '_' and '-' that begins with a letter, at most 24",
               r"[A-Za-z][A-Za-z0-9_-]{0,23}")]  # fmt: skip

User = Annotated[str, text("the name of a system user", r"[a-z_][a-z0-9_-]{0,31}")]

Port = Annotated[int, whole(1, 65535)]

Line = Annotated[str, text("text on one line without control characters", rf"{_PRINTABLE}{{1,1000}}")]

Word = Annotated[str, text("text without line breaks and control characters", rf"{_PRINTABLE}{{0,1000}}")]

FilePath = Annotated[
    str, text("the path of a file", rf"(?!-){_PRINTABLE}{{1,4000}}", also=lambda path: path == path.strip())
]

AbsolutePath = Annotated[str, text("a path that begins with / and has no '..'", rf"/{_PRINTABLE}{{1,4000}}",
                    also=lambda path: ".." not in path.split("/") and path == path.strip())]  # fmt: skip

UrlPath = Annotated[str, text("a path such as /tools, of letters, digits and '/._~-'", r"|/|(/[A-Za-z0-9._~-]+)+/?",
               also=lambda path: not {".", ".."} & set(path.split("/")))]  # fmt: skip

RoutePath = Annotated[
    str,
    text("a path such as /tools or /users/{name}, of letters, digits, '/._~-' and placeholders",
         r"/|(/([A-Za-z0-9._~-]+|\{[A-Za-z0-9_]+(:[a-z]+)?\}))+/?",
         also=lambda path: not {".", ".."} & set(path.split("/")) and _has_placeholders_in_order(path)),
]  # fmt: skip

Principal = Annotated[str, text("the name of a user or group, without commas", rf"{_PRINTABLE}{{1,300}}",
                 also=lambda name: name == name.strip() and "," not in name)]  # fmt: skip

HeaderName = Annotated[str, text("the name of a header, such as X-Frame-Options", r"[A-Za-z0-9-]{1,100}")]

HeaderValue = Annotated[str, text("a header's value: printable ASCII", r"[\x21-\x7e]([\x20-\x7e]{0,2000}[\x21-\x7e])?")]

ProxyVersion = Annotated[str, text("a version such as 1.26.3, or detect", r"detect|[0-9]{1,4}(\.[0-9]{1,4}){1,3}")]

Version = Annotated[str, text("a version such as 1.26.3", r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}")]

Variable = Annotated[str, text("the name of an environment variable", r"[A-Za-z_][A-Za-z0-9_]{0,99}")]

Image = Annotated[str, text("the name of an image, such as registry.example.org/app:1.2",
             r"[a-z0-9]([a-z0-9._:/-]{0,250}[A-Za-z0-9_.-])?(@sha256:[0-9a-f]{64})?")]  # fmt: skip

Constraint = Annotated[str, text("a constraint of Swarm's, such as `node.labels.apps == yes`",
                  r"(node|engine)\.[A-Za-z0-9._-]{1,100} ?(==|!=) ?[A-Za-z0-9._:/-]{1,100}")]  # fmt: skip

Email = Annotated[str, text("an e-mail address", r"[A-Za-z0-9.!#&'*+/=?^_`|~-]{1,64}@[A-Za-z0-9.-]{1,253}")]

SshServer = Annotated[str, text("USER@HOST or HOST, perhaps with :PORT",
                 r"([a-z_][a-z0-9_.-]{0,63}@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]{0,250}[A-Za-z0-9])?)"
                 r"(:[1-9][0-9]{0,4})?",
                 also=lambda word: int((re.search(r":([0-9]+)$", word) or [0, 1])[1]) < 65536)]  # fmt: skip

Host = Annotated[str, Reader("a host's name or address", _host)]

Origin = Annotated[str, Reader("an origin such as https://www.example.org, without a path", _origin)]

Network = Annotated[str, Reader("an address or a network such as 10.0.0.0/8", _network)]

Url = Annotated[str, Reader("an address that begins with http:// or https://", _url)]

UrlOrPath = Annotated[
    str,
    Reader(
        "an address that begins with http:// or https://, or a path",
        lambda word: word if re.fullmatch(r"/[A-Za-z0-9._~/-]{0,200}", word) else _url(word),
    ),
]

# Any scheme: rules look at it, and their errors do not quote an address, which may have a password.
StorePlace = Annotated[
    str,
    text("off, valkey, a folder's absolute path, or an address such as redis://redis.example.org:6379",
         rf"off|valkey|/{_PRINTABLE}{{1,4000}}|[A-Za-z][A-Za-z0-9+.-]*://{_PRINTABLE}{{1,1000}}",
         also=lambda word: "://" in word or ".." not in word.split("/") and word == word.strip()),
]  # fmt: skip

Mode = Annotated[str, text("permissions such as 0640", r"0?[0-7]{3}")]
