"""One client of a session, as the engine sees it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False, slots=True, weakref_slot=True)
class Connection:
    """A client of a session."""

    ident: int
    remote: str = ""
    from_browser: bool = False
    asked: bool = field(default=False)
    """Whether it has asked for the document since the ACK."""
    maybe_cut_off: bool = field(default=False)
    """Whether it was lost so soon after something was sent that this may have come in part."""
    realigned: bool = field(default=False)
    """Whether it was sent what brings back a receiver that was cut off."""

    def note_asked(self) -> None:
        """It has asked for the document."""
        self.asked = True

    def note_realigned(self) -> None:
        """It was sent what brings back a receiver that was cut off."""
        self.realigned = True

    def note_lost(self, *, maybe_cut_off: bool) -> None:
        """It was lost, so soon after something was sent, or not, that this may have come in part."""
        self.maybe_cut_off = maybe_cut_off
