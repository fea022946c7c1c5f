"""Images on their way to a registry and back, with docker's own logins. We never see a password.

A registry's answers reach us as the engine's last line. `failure` says what they mean, and what to do.
"""

from __future__ import annotations

import re
from typing import Final

from app_server.deployment.progress.progress import Progress
from app_server.deployment.progress.streamed import stream
from app_server.deployment.rollout import docker
from app_server.errors import OperatorError

_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_HUB: Final = "docker.io"

_MEANINGS: Final[tuple[tuple[str, str, str], ...]] = (
    ("error getting credentials|docker-credential-",
     "docker's program for logins fails: {said}", "Check credsStore in ~/.docker/config.json."),
    ("toomanyrequests|429 Too Many",
     "{registry} takes no more requests for now", "Try again later, or docker login {registry}"),
    ("no basic auth credentials|unauthorized|authentication required",
     "{registry} asks for a login", "docker login {registry}"),
    ("denied|forbidden|insufficient_scope",
     "{registry} does not let you {verb} it", "Check the name, and who you are: docker login {registry}"),
    ("immutable|already exists|cannot be overwritten",
     "{registry} has this tag already and does not replace tags", "Choose another --tag."),
    ("413 |quota|no space left",
     "the image does not fit: {said}", "Make room in {registry}, or on the engine's host."),
    (r"\b50[0-9] [A-Z]", "{registry} has a fault of its own: {said}", "Try again later, or ask who runs it."),
    ("manifest unknown|not found: manifest|name unknown|repository does not exist",
     "{registry} does not have this image", "`app-server image --push` puts it there."),
    ("no such host|name resolution|server misbehaving",
     "no host is called {registry}", "Check the name of the registry."),
    ("server gave HTTP response to HTTPS client", "{registry} does not use TLS",
     "Name it in insecure-registries of the engine's daemon.json if its network is yours."),
    ("x509|certificate", "the engine does not trust the certificate of {registry}",
     "Put the authority into /etc/docker/certs.d/{registry}/ca.crt on the engine's host."),
    ("connection refused|(i/o|handshake) timeout|no route to host|network is unreachable|deadline exceeded|EOF$",
     "{registry} does not answer", "Check the name and the port, and that the engine's host reaches it."),
)  # fmt: skip
"""What engines and registries say, what that means, and what to do; the first one that fits."""
_NO_REPOSITORY: Final = re.compile("name unknown|repository .*(?:not found|does not exist)|project .*not found", re.I)


def has_registry(image: str) -> bool:
    """Whether the name says which registry has the image: its first part is a host's name."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


def registry_of(image: str) -> str:
    """The registry that an image's name means."""
    return image.partition("/")[0] if has_registry(image) else _HUB


def require_registry(image: str) -> None:
    """OperatorError for a name that cannot be pushed, because it does not say where."""
    if not has_registry(image):
        hint = f"Choose one that does: --tag registry.example.org/team/{image.rpartition('/')[2]}"
        raise OperatorError("does not name a registry", where=image, hint=hint)


def push(image: str, progress: Progress) -> str:
    """Push an image that is here; its digest there. OperatorError if the registry does not take it."""
    digest = ""

    def read(line: str) -> None:
        nonlocal digest
        progress.output(line)
        if found := _DIGEST.search(line):
            digest = found[1]
        elif line.strip():
            progress.now(line)

    with progress.step(f"pushing {image}", lambda: f"pushed {image}"):
        status, said = stream(["docker", "push", image], read)
        if status != 0:
            raise failure(docker.last_words(said), image, "push")
    return digest


def pull(image: str, progress: Progress) -> None:
    """Pull an image. OperatorError if that is not possible."""
    with progress.step(f"pulling {image}", f"pulled {image}"):
        try:
            docker.run("pull", "--quiet", image, where=image)
        except OperatorError as error:
            raise failure(error.what, image, "pull") from None


def failure(said: str, image: str, verb: str) -> OperatorError:
    """What to say of an image that could not be pushed or pulled, given the engine's last line."""
    registry = registry_of(image)
    if verb == "push" and _NO_REPOSITORY.search(said) and "denied" not in said:
        what = f"{registry} has no repository of this name, and does not make it"
        return OperatorError(what, where=image, hint="Create it there, or choose another --tag.")
    for pattern, what, hint in _MEANINGS:
        if re.search(pattern, said, re.IGNORECASE):
            about = {"registry": registry, "verb": verb, "said": said}
            return OperatorError(what.format(**about), where=image, hint=hint.format(**about))
    return OperatorError(said, where=image, hint=f"That is what the engine says of {registry}.")
