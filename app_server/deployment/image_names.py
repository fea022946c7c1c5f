"""Names of images in their parts, such as registry.example.org:5000/team/site:2@sha256:4f2a..."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageName:
    """The parts of an image's name; a missing tag or digest is ""."""

    repository: str
    """with the registry's name, if there is one"""
    tag: str = ""
    digest: str = ""

    @classmethod
    def of(cls, image: str) -> ImageName:
        """The parts of this name. A colon before the last slash is that of the registry's port."""
        name, _, digest = image.partition("@")
        folder, slash, last = name.rpartition("/")
        stem, _, tag = last.partition(":")
        return cls(f"{folder}{slash}{stem}", tag, digest)
