"""What a server asks of a guest, answered for an application that brings none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from app_server.document.callbacks import DocumentEvent
from app_server.document.pages import embedding, extensions
from app_server.document.served import ServedDocument

FindFile = Callable[[str], "Path | None"]

Step: TypeAlias = tuple[Any, "Mapping[str, Any] | None"]
"""A component, and the values that a person gives it; None if it is clicked."""

Events: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]
"""Names of events, and what they say."""


class LivingSession(Protocol):
    """What a guest may do with a session."""

    @property
    def document(self) -> ServedDocument: ...

    @property
    def send_now(self) -> Callable[[], None]: ...

    def patched(self, event: DocumentEvent) -> None: ...


class Guest:
    """Plain Bokeh: nothing is done beside what the server does anyway.

    `find_component` finds the files below `components/`, if the guest's pages ask for any.
    """

    find_component: FindFile | None = None

    changes_pages = False
    """Whether the document is changed while a page is rendered, without an event."""

    def use_threads(self, count: int) -> None:
        """Run callbacks in so many threads, 0 for as many as Python takes. OperatorError if that is said elsewhere."""

    def building(self, document: ServedDocument) -> AbstractContextManager[None]:
        """A block in which the application's code fills the document; its session context is attached already."""
        return nullcontext()

    def saves(self, document: ServedDocument) -> None:
        """The document that was built is saved from now on: its page finds its session again, wherever that lives."""

    def restoring(self, document: ServedDocument) -> None:
        """The document that was built is about to be given what was saved of it."""

    def settle(self, document: ServedDocument) -> None:
        """Call at once what the changes made so far are to be followed by; a document that is restored has no session
        yet, and the next of its inputs waits for that."""

    def restored(self, document: ServedDocument) -> None:
        """All that was saved is in the document again; what was worked out meanwhile has been replaced."""

    def opened(self, session: LivingSession) -> None:
        """The document that was built has its session."""

    def ended(self, document: ServedDocument) -> None:
        """The session's hooks have run; the document is about to be taken apart. Also after a build that failed."""

    def follows_later(self, document: ServedDocument) -> bool:
        """Whether the guest is about to follow, within milliseconds, what a client has changed."""
        return False

    # What tests ask, which know components of the guest's in place of their models.

    def components(self, document: ServedDocument, kind: Any) -> list[Any] | None:
        """All components that the document's page shows; None if this is not a class of components."""
        return None

    def model_id(self, document: ServedDocument, thing: Any) -> str | None:
        """The id of the model that shows a component in this document; None if it is not shown there."""
        return None

    def as_properties(self, document: ServedDocument, thing: Any, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The properties of its model that show these values of a component; None if this is not a component."""
        return None

    def steps(self, thing: Any, values: Mapping[str, Any]) -> Iterator[Step] | None:
        """What is done with the parts of a component that has these values then; None if it is not made of parts."""
        return None

    def edits(self, column: str, row: int, value: Any, old: Any) -> tuple[Events, Events]:
        """The events of a table before and after a cell's new value is in its data, for tables that listen to them."""
        return (), ()

    def render_page(
        self,
        document: ServedDocument,
        token: str,
        bundles: embedding.Bundles,
        root_url: str,
        *,
        app_path: str | None,
        head: str,
        encoded: bytes | None = None,
    ) -> str:
        """The HTML page of a session's document; see `embedding.render_page`."""
        bundle = bundles.get(root_url)
        extensions.check(document)
        return embedding.render_page(document, token, bundle, app_path=app_path, head=head, encoded=encoded)

    def render_autoload(
        self,
        document: ServedDocument,
        token: str,
        element_id: str,
        bundles: embedding.Bundles,
        root_url: str,
        *,
        resources: bool,
        app_path: str,
        absolute_url: str | None,
    ) -> str:
        """The script that puts the document into a page of another site; see `embedding.render_autoload`."""
        bundle = bundles.get(root_url, resources=resources)
        extensions.check(document)
        return embedding.render_autoload(token, element_id, bundle, app_path=app_path, absolute_url=absolute_url)
