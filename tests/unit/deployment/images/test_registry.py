"""What registries and engines say, as they have said it, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.images.registry import failure, pull, push, registry_of, require_registry
from app_server.deployment.progress.progress import silent
from app_server.errors import OperatorError

IMAGE = "registry.example.org:5000/team/board:2"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("no basic auth credentials",
         "registry.example.org:5000 asks for a login. docker login registry.example.org:5000"),
        ('Head "http://127.0.0.1:25555/v2/team/none/manifests/1": unauthorized: authentication required',
         "registry.example.org:5000 asks for a login. docker login registry.example.org:5000"),
        ("denied: requested access to the resource is denied",
         "registry.example.org:5000 does not let you push it. "
         "Check the name, and who you are: docker login registry.example.org:5000"),
        ("unknown: The image tag '2' already exists in the 'board' repository and cannot be overwritten because the "
         "repository is immutable",
         "registry.example.org:5000 has this tag already and does not replace tags. Choose another --tag."),
        ("manifest for 127.0.0.1:25555/team/none:1 not found: manifest unknown: manifest unknown",
         "registry.example.org:5000 does not have this image. `app-server image --push` puts it there."),
        ('Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid on 10.0.0.1:53: no such host',
         "no host is called registry.example.org:5000. Check the name of the registry."),
        ('Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
         "registry.example.org:5000 does not answer. "
         "Check the name and the port, and that the engine's host reaches it."),
        ('Get "https://10.0.0.9:5000/v2/": http: server gave HTTP response to HTTPS client',
         "registry.example.org:5000 does not use TLS. "
         "Name it in insecure-registries of the engine's daemon.json if its network is yours."),
        ('Get "https://10.0.0.9/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
         "the engine does not trust the certificate of registry.example.org:5000. Put the authority into "
         "/etc/docker/certs.d/registry.example.org:5000/ca.crt on the engine's host."),
        ("name unknown: The repository with name 'board' does not exist in the registry with id '1'",
         "registry.example.org:5000 has no repository of this name, and does not make it. "
         "Create it there, or choose another --tag."),
        ("unknown: project team not found",
         "registry.example.org:5000 has no repository of this name, and does not make it. "
         "Create it there, or choose another --tag."),
        ("toomanyrequests: You have reached your pull rate limit",
         "registry.example.org:5000 takes no more requests for now. "
         "Try again later, or docker login registry.example.org:5000"),
        ('error getting credentials - err: exec: "docker-credential-desktop": executable file not found in $PATH',
         "docker's program for logins fails: error getting credentials - err: exec: \"docker-credential-desktop\": "
         "executable file not found in $PATH. Check credsStore in ~/.docker/config.json."),
        ("received unexpected HTTP status: 413 Request Entity Too Large",
         "the image does not fit: received unexpected HTTP status: 413 Request Entity Too Large. "
         "Make room in registry.example.org:5000, or on the engine's host."),
        ("received unexpected HTTP status: 503 Service Unavailable",
         "registry.example.org:5000 has a fault of its own: received unexpected HTTP status: 503 Service Unavailable. "
         "Try again later, or ask who runs it."),
        ('Get "https://r/v2/": dial tcp: lookup r: Temporary failure in name resolution',
         "no host is called registry.example.org:5000. Check the name of the registry."),
        ('Get "https://r/v2/": net/http: TLS handshake timeout',
         "registry.example.org:5000 does not answer. "
         "Check the name and the port, and that the engine's host reaches it."),
        ("the disk is on fire",
         "the disk is on fire. That is what the engine says of registry.example.org:5000."),
    ],
)  # fmt: skip
def test_failure_says_what_to_do(said: str, message: str) -> None:
    assert str(failure(said, IMAGE, "push")) == f"{IMAGE}: {message}"


def test_name_has_to_say_which_registry() -> None:
    with pytest.raises(OperatorError) as caught:
        require_registry("board:2")
    assert str(caught.value) == (
        "board:2: does not name a registry. Choose one that does: --tag registry.example.org/team/board:2"
    )
    require_registry(IMAGE)
    assert (registry_of("localhost/x"), registry_of("team/x"), registry_of("x")) == (
        "localhost", "docker.io", "docker.io",
    )  # fmt: skip


def test_engines_answer_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = f"sha256:{'4f2a' * 16}"
    script = (
        "#!/bin/sh\n[ $2 = registry.example.org/none:1 ] && { echo 'denied: no' >&2; exit 1; }\n"
        "[ $1 = pull ] && { echo 'manifest unknown' >&2; exit 1; }\n"
        f"echo layer: Pushed\necho '2: digest: {digest} size: 5'\n"
    )
    (tmp_path / "docker").write_text(script, encoding="ascii")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert push(IMAGE, silent()) == digest
    with pytest.raises(OperatorError, match="does not let you push it"):
        push("registry.example.org/none:1", silent())
    with pytest.raises(OperatorError, match="does not have this image"):
        pull(IMAGE, silent())
