"""What the image of the applications is built on."""

from typing import ClassVar

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.words import Image


class Built(Model):
    """The image of the applications, as `app-server image`, compose and roll-outs build it."""

    short: ClassVar[str | None] = "base"

    base: Image | None = None
    """the image of app-server that it is built on: one of this machine, or with its registry's name one of a registry;
    default: app-server's own, built from what the command was installed from"""
