"""What consoles ask each other: over HTTP, signed, and answered to no one else."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import time
from collections.abc import Mapping
from typing import Any

from tornado.web import HTTPError

from app_server.http.base_handler import BaseHandler
from app_server.protocol import http_client
from app_server.protocol.http_client import Malformed, ResponseReader, TooLarge
from app_server.security.console_peers import PeerSignatures, signature
from app_server.server.console.own_instance import OwnInstance, lasts_s
from app_server.settings.console import ConsolePeer

ADDRESS = "/_peers"
"""Where consoles ask each other, below the console's own path."""

_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_LOOK_S = 4.0
_ACT_S = 15.0
_READ_BYTES = 256 * 1024


class PeerHandler(BaseHandler):
    """Answers another instance's console; to anyone else there is nothing here."""

    max_body_bytes = 64 * 1024

    def initialize(self, own: OwnInstance, signatures: PeerSignatures) -> None:
        """Called by Tornado with what the route carries."""
        self._own = own
        self._signatures = signatures

    def check_xsrf_cookie(self) -> None:
        """Requests are signed."""

    async def post(self, *captured: str) -> None:
        """`{"look": [part, …]}` or `{"order": {…}, "who": …, "to": …}`; the answer is JSON."""
        header = self.request.headers.get("Authorization", "")
        if not self._signatures.accepts(header, ADDRESS, self.request.body):
            raise HTTPError(404)
        try:
            asked = json.loads(self.request.body)
            parts, order, who = asked.get("look"), asked.get("order"), str(asked.get("who"))
        except (ValueError, AttributeError):
            raise HTTPError(400) from None
        self.forbid_caching()
        if isinstance(order, dict):
            # Someone who can read the network could send it to another instance, for which its signature is new.
            if asked.get("to") != self._own.run:
                raise HTTPError(409)
            self.finish({"result": await self._own.act(order, who)})
        else:
            self.finish(await self._own.look([str(part) for part in parts or ()]))


class PeerFault(Exception):
    """Another instance's console did not answer as it should; the text says why."""


class Peer:
    """Another instance's console."""

    def __init__(self, word: str, key: bytes, tls: ssl.SSLContext | None = None) -> None:
        self._place = ConsolePeer.read(word)
        self._key = key
        self._run = ""
        self._tls = (tls or ssl.create_default_context()) if self._place.tls else None

    @property
    def name(self) -> str:
        """What it is called as long as it has not said its name."""
        return self._place.name

    async def look(self, parts: list[str]) -> dict[str, Any]:
        """What it knows of its instance. PeerFault if it does not answer."""
        found = await self._ask({"look": parts}, _LOOK_S)
        if not isinstance(found.get("snapshot"), dict):
            raise PeerFault("answered something else")
        self._run = str(found.get("run", ""))
        return found

    async def act(self, order: Mapping[str, Any], who: str) -> str:
        """What came of this act there. PeerFault if it does not answer."""
        found = await self._ask({"order": order, "who": who, "to": self._run}, _ACT_S + lasts_s(order))
        return str(found.get("result", "failed"))

    async def _ask(self, asked: Mapping[str, Any], patience_s: float) -> dict[str, Any]:
        body = json.dumps(asked).encode()
        try:
            async with asyncio.timeout(patience_s):
                answer = await self._exchange(body)
            if answer.status != 200:
                raise PeerFault(_refusals.get(answer.status, f"answered with status {answer.status}"))
            found = json.loads(answer.body)
        except TimeoutError:
            raise PeerFault(f"has not answered within {patience_s:g} s") from None
        except OSError as error:
            raise PeerFault(f"cannot be reached: {error.strerror or error}") from None
        except (Malformed, TooLarge, ValueError) as error:
            raise PeerFault(f"answered something else: {error}") from None
        if not isinstance(found, dict):
            raise PeerFault("answered something else")
        return found

    async def _exchange(self, body: bytes) -> ResponseReader:
        place = self._place
        if place.unix_socket:
            reader, writer = await asyncio.open_unix_connection(place.unix_socket)
        else:
            reader, writer = await asyncio.open_connection(place.host, place.port, ssl=self._tls)
        try:
            headers = {
                "Host": place.host or "localhost",
                "Authorization": signature(self._key, ADDRESS, body, int(time.time()), secrets.token_hex(16)),
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
            }
            writer.write(http_client.request("POST", place.path + ADDRESS, headers.items()) + body)
            await writer.drain()
            answer = ResponseReader("POST", _MAX_ANSWER_BYTES)
            while not answer.done:
                data = await reader.read(_READ_BYTES)
                if data:
                    answer.feed(data)
                else:
                    answer.end()
            return answer
        finally:
            writer.close()


_refusals = {
    404: "does not know this one: is it a console, with the same secret key and the same time?",
    409: "has started again meanwhile: try once more",
    503: "is not there yet",
}
