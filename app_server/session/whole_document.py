"""The whole document for a client that pulls it, prepared for the first one while that is possible."""

from __future__ import annotations

from dataclasses import dataclass

from app_server.document.encoding.document_encoder import REPULLED_BUFFERS_ARE_READ, encode_built
from app_server.document.served import ServedDocument
from app_server.protocol import codec


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a page and the first pull are answered with as long as the document has not changed.

    `page` is the page in pieces, between which the token belongs, if it is the same for all. With `inline` arrays are
    encoded as for a page that returns: it may have come before to a process that has ended.
    """

    page: tuple[bytes, ...]
    content: bytes
    buffers: list[codec.Buffer]
    inline: bool


class WholeDocument:
    """Encodes a session's document for clients that pull it."""

    def __init__(self, document: ServedDocument, prepared: Prepared | None) -> None:
        self._document = document
        self.prepared = prepared
        self.was_pulled = False
        """Whether a client has had the document."""
        self._from_elsewhere = False

    def prepare(self) -> None:
        """Encode the document for the first pull; ApplicationError if no client could get it."""
        with self._document.changing, self._document.at_work():
            self.prepared = Prepared((), *encode_built(self._document), inline=False)

    def changed(self) -> None:
        """Forget what was prepared: the document has changed."""
        self.prepared = None

    def expect_returning_page(self) -> None:
        """Take the next client for one that has pulled before, from a process that may have had another BokehJS."""
        self.was_pulled = self._from_elsewhere = True

    def pull(self) -> tuple[bytes, list[codec.Buffer]]:
        """The document's JSON and its buffers."""
        # BokehJS 3.9 ignores the buffers of a document that it pulls again, so a returning client gets arrays inline.
        inline = self.was_pulled and (self._from_elsewhere or not REPULLED_BUFFERS_ARE_READ)
        self.was_pulled = True
        prepared, self.prepared = self.prepared, None
        if prepared is None or (inline and not prepared.inline):
            return encode_built(self._document, inline=inline)
        return prepared.content, prepared.buffers
