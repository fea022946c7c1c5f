"""A visitor of a server inside the test's process who keeps cookies, as browsers do."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

from tests.support.client import Answer
from tests.support.servers.inside import Inside


class Browser:
    """Keeps cookies."""

    def __init__(self, site: Inside) -> None:
        self._site = site
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Answer:
        """The answer to GET."""
        return self._keep(self._site.ask(path, headers={**self._sent(), **headers}))

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
        """The answer to a form."""
        return self._keep(self._site.post(path, fields, {**self._sent(), **(headers or {})}))

    def log_in(self, user: str, password: str, **fields: str) -> Answer:
        """The answer to the form that is asked for first."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.get("/p/login").text)
        assert found is not None
        return self.post("/p/login", user=user, password=password, form_token=found[1], **fields)

    def _sent(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _keep(self, answer: Answer) -> Answer:
        for line in answer.headers.get("set-cookie", "").split("\n"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if not morsel.value:
                    del self.cookies[name]
        return answer
