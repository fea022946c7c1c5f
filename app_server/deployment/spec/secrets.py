"""Where the secrets of the server and of its applications come from; they are never in deploy.yaml itself."""

import re
from typing import Annotated, ClassVar

from pydantic import field_validator

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import text
from app_server.deployment.spec.words import AbsolutePath, FilePath, Variable

_VARIABLE = re.compile(r"(export\s+)?[A-Z][A-Z0-9_]*=")

Credential = Annotated[str, text("the name of a credential", r"[A-Za-z0-9_.-]{1,100}")]


class Secret(Model):
    """Where a secret comes from. Never write the secret itself here."""

    refusal: ClassVar[str | None] = (
        "expected where the secret is, not the secret itself. Write it to a file, and set {file: PATH}"
    )

    file: AbsolutePath | None = None
    """a file that contains it"""
    environment: Variable | None = None
    """a variable of the shell or container runtime that starts the service"""
    credential: Credential | None = None
    """a systemd credential of this name, encrypted or not"""


class ApplicationSecrets(Model):
    """A file with secrets of the applications, one NAME=value a line: passwords of databases, keys of services."""

    short: ClassVar[str | None] = "file"

    file: FilePath | None = None
    """a path relative to this file, of a file here that a roll-out hands on; or an absolute one, of a file that each
    host has"""
    credential: Credential | None = None
    """a systemd credential with this content, encrypted or not"""

    @field_validator("file")
    @classmethod
    def _refuse_variable(cls, file: str | None) -> str | None:
        """Without a quote: it is a secret, which the generated files would contain as a path."""
        if file is not None and _VARIABLE.match(file):
            raise ValueError("expected the path of a file, not a variable. Write the line to a file, and name that")
        return file


class Secrets(Model):
    """The server's secrets. `app-server secret` creates one."""

    refusal: ClassVar[str | None] = "expected a line for each secret, such as `secret_key: {file: PATH}`"

    secret_key: Secret | None = None
    """signs session ids and tokens; instances share it"""
    cookie_secret: Secret | None = None
    """signs the cookies of logins"""
    oidc_client_secret: Secret | None = None
    """the client secret from an OpenID Connect provider"""
    oauth_client_secret: Secret | None = None
    """the client secret from GitHub or another OAuth2 provider"""
    ssl_password: Secret | None = None
    """the password of the private key, if the server itself uses TLS"""
    store: Secret | None = None
    """the address of Redis or Valkey for saved sessions, if it has a password; instead of `sessions.store`"""
