"""A certificate from an ACME authority by certbot's webroot: the words of its commands, and the files around them.

certbot writes a file below the webroot, the authority asks the site for it over http, and the proxy hands it out from
`/.well-known/acme-challenge/`. Nothing is stopped for it. The proxy reads the certificate from a place of its own,
where a hook puts each new one after the proxy has said that it will take it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

Words = tuple[str, ...]

CHALLENGES = ".well-known/acme-challenge"
"""Below the webroot, and below the site's root: RFC 8555, section 8.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeSite:
    """A site that gets its certificate by ACME.

    `certificate` and `key` are what the proxy reads, `hook` is where the script lies that puts new ones there, `owner`
    (USER or USER:GROUP) is who reads the key where that is not root. `test`, `reload` and `start` are commands: would
    the proxy take its configuration, read it again, start or read it again. `certbot` may carry options, such as a
    `--config-dir`, which is `config`.
    """

    name: str
    names: tuple[str, ...]
    email: str | None
    directory: str
    webroot: str
    certificate: str
    key: str
    hook: str
    test: Words
    reload: Words
    start: Words
    owner: str | None = None
    certbot: Words = ("certbot",)
    config: str = "/etc/letsencrypt"

    @property
    def first(self) -> Words:
        """The command that gets the first certificate; run again, it leaves one that is still good."""
        account = ("--email", self.email) if self.email else ("--register-unsafely-without-email",)
        return (
            *self.certbot, "certonly", "--webroot", "--webroot-path", self.webroot, "--cert-name", self.name,
            *(word for name in self.names for word in ("--domain", name)),
            "--server", self.directory, *account, "--agree-tos", "--non-interactive", "--keep-until-expiring",
            "--expand", "--key-type", "ecdsa", "--elliptic-curve", "secp256r1", "--deploy-hook", self.hook,
        )  # fmt: skip

    @property
    def renew(self) -> Words:
        """The command that renews it where that is due; certbot remembers the rest, the hook too.

        The timer already spreads the load, and certbot need not wait by itself.
        """
        return (*self.certbot, "renew", "--cert-name", self.name, "--no-random-sleep-on-renew", "--quiet")

    @property
    def live(self) -> str:
        """Where certbot keeps the newest certificate."""
        return f"{self.config}/live/{self.name}"

    @property
    def challenges(self) -> str:
        """The folder of the challenges."""
        return str(PurePosixPath(self.webroot) / CHALLENGES)
