"""What every block of deploy.yaml is made of: models that refuse what they do not know, and words with a meaning.

A value comes from YAML as it was written there, as text, and each type reads that text in its own way: `no` is a no
where a switch is wanted and a name where a name is wanted, and `022` is never nine times two.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app_server.security.hostnames import ascii_host, bracketed

LONGEST_QUOTE = 60
# sockaddr_un.sun_path holds 108 bytes with its final zero.
LONGEST_SOCKET_PATH_BYTES = 107
LARGEST = 10**12
EXTENSION = "x-"

T = TypeVar("T")


class Model(BaseModel):
    """A block with keys. Unknown keys are refused, those that begin with `x-` are the author's own and left alone.

    `short` names the field that a bare value stands for: `myapp: app.py` for `myapp: {path: app.py}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    short: ClassVar[str | None] = None
    refusal: ClassVar[str | None] = None
    """what is said of a value that is no block, if it must not be quoted"""

    @model_validator(mode="before")
    @classmethod
    def _as_mapping(cls, value: object) -> object:
        if isinstance(value, cls):
            return value
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            if cls.short is not None:
                return {cls.short: value}
            if cls.refusal is not None:
                raise ValueError(cls.refusal)
            raise ValueError(f"expected lines of the form `key: value`, not {quoted(value)}")
        # A key without a value says nothing, so that its default counts.
        return {key: item for key, item in value.items() if item is not None and not str(key).startswith(EXTENSION)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        block = handler.resolve_ref_schema(schema)
        block["patternProperties"] = {"^x-": {}}
        if cls.short is not None and "properties" in block:
            whole = {key: block.pop(key) for key in list(block) if key not in ("title", "description")}
            block["anyOf"] = [dict(whole["properties"][cls.short]), whole]
        return schema


def quoted(value: object) -> str:
    """A value as an error quotes it: short, and on one line."""
    if isinstance(value, Mapping):
        return "a block with keys"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return repr(text) if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]!r}..."


@dataclass(frozen=True, eq=False)
class Reader(Generic[T]):
    """A type of values that are read from text by `read`, which gives None for what is something else.

    It stands in Annotated. `expected` completes "expected ..." in errors, `schema` is the type's JSON Schema.
    """

    expected: str
    read: Callable[[str], T | None]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})

    def take(self, value: object) -> T:
        """The value that a text, or a value of Python's that can be written as one, stands for."""
        if isinstance(value, bool):
            value = "yes" if value else "no"
        found = self.read(str(value)) if isinstance(value, str | int | float) else None
        if found is None:
            raise ValueError(f"expected {self.expected}, not {quoted(value)}")
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.take)

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.schema)


def matching(pattern: str, also: Callable[[str], bool]) -> Callable[[str], str | None]:
    """A reader's function that takes text of this pattern alone, for which `also` holds."""
    compiled = re.compile(pattern)
    return lambda word: word if compiled.fullmatch(word) and also(word) else None


# What an editor takes for a number or a yes is text all the same where text is wanted.
_ANY_SCALAR = ["string", "number", "boolean"]


def text(expected: str, pattern: str, *, also: Callable[[str], bool] = lambda word: True) -> Reader[str]:
    """Text of which all matches the pattern."""
    return Reader(expected, matching(pattern, also), {"type": _ANY_SCALAR, "pattern": f"^(?:{pattern})$"})


_TRUE = {"yes", "true", "on"}
_FALSE = {"no", "false", "off"}


def _flag(word: str) -> bool | None:
    return True if word.lower() in _TRUE else False if word.lower() in _FALSE else None


def _whole(low: int, high: int) -> Callable[[str], int | None]:
    def read(word: str) -> int | None:
        # No underscores, no leading zeros (octal?), no 5:30 (sexagesimal): what YAML 1.1 might take them for.
        return int(word) if re.fullmatch(r"0|-?[1-9][0-9]{0,14}", word) and low <= int(word) <= high else None

    return read


def _number(low: float, high: float) -> Callable[[str], float | None]:
    def read(word: str) -> float | None:
        return float(word) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", word) and low <= float(word) <= high else None

    return read


Flag = Annotated[bool, Reader("yes or no", _flag, {"type": "boolean"})]


def whole(low: int, high: int = LARGEST) -> Reader[int]:
    """Whole numbers from low to high, both included."""
    expected = f"a whole number from {low} to {high}" if high < LARGEST else f"a whole number, at least {low}"
    limits = {"minimum": low, **({"maximum": high} if high < LARGEST else {})}
    return Reader(expected, _whole(low, high), {"type": "integer", **limits})


def number(low: float, high: float = LARGEST, unit: str = "") -> Reader[float]:
    """Numbers from low to high, both included."""
    expected = f"a number{unit} from {low:g} to {high:g}" if high < LARGEST else f"a number{unit}, at least {low:g}"
    limits = {"minimum": low, **({"maximum": high} if high < LARGEST else {})}
    return Reader(expected, _number(low, high), {"type": "number", **limits})


def seconds(low: float = 0, high: float = LARGEST) -> Reader[float]:
    """Durations in seconds."""
    return number(low, high, " of seconds")


@dataclass(frozen=True)
class choice:
    """The words of the Literal that it annotates; where one of them means nothing, no, off and false mean it too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._reader(get_args(source)).take, metadata={
            "pydantic_js_functions": [lambda _schema, _handler: self._reader(get_args(source)).schema]
        })  # fmt: skip

    @staticmethod
    def _reader(words: tuple[str, ...]) -> Reader[str]:
        nothing = next((word for word in words if word in ("none", "off")), None)

        def read(word: str) -> str | None:
            low = word.lower()
            return low if low in words else nothing if low in {*_FALSE, "none"} else None

        schema = {"enum": [*words, False] if nothing else list(words)}
        return Reader(f"one of {', '.join(words)}", read, schema)


class _List:
    """A list, of which a single value is one too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_list, handler(source))

    @staticmethod
    def _as_list(value: object) -> object:
        if isinstance(value, Mapping):
            raise ValueError("expected a value or a list of values, not a block with keys")
        return value if isinstance(value, list | tuple) else [value]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = handler(schema)
        return {"anyOf": [dict(listed["items"]), listed]}


LIST = _List()


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
Mode = Annotated[str, text("permissions such as 0640", r"0?[0-7]{3}")]
