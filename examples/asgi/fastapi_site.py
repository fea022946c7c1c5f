"""FastAPI: who may use the API may see the plot; one function decides for both.

PASSWORD=secret uvicorn --app-dir examples/asgi fastapi_site:app

Then open http://localhost:8000/plot/. It leads to the login, which takes any name, with this password.
"""

import hmac
import os
import secrets
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Cookie, Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from readings import Readings

from app_server.asgi import AuthPolicy, BokehASGI

PASSWORD = os.environ.get("PASSWORD") or secrets.token_urlsafe()
FORM = """<form method="post"><input name="name" placeholder="Name" required>
<input name="password" type="password" placeholder="Password" required><button>Log in</button></form>"""

users: dict[str, str] = {}
"""The names of those who have logged in, by the token in their cookie."""


def user_of(token: str | None) -> str | None:
    """Who has this token."""
    return users.get(token or "")


def user(token: Annotated[str | None, Cookie()] = None) -> str:
    """The user of a request to the API."""
    found = user_of(token)
    if found is None:
        raise HTTPException(401, "Log in first")
    return found


def user_of_page(request) -> str | None:
    """The user of a page, and of its socket."""
    return user_of(request.cookies["token"].value) if "token" in request.cookies else None


readings = Readings()
bokeh = BokehASGI(readings.plot, auth_policy=AuthPolicy(user_of_page, login_url="/login"))
app = FastAPI(lifespan=bokeh.lifespan)


class Reading(BaseModel):
    """What the API takes."""

    celsius: float


@app.post("/api/readings", status_code=201)
async def add(reading: Reading, name: Annotated[str, Depends(user)]) -> dict[str, int | str]:
    """Take a reading, and show it to everyone who looks at the plot."""
    number = readings.add(reading.celsius)
    await bokeh.update_sessions("/", readings.show_new)
    return {"number": number, "by": name}


@app.get("/login")
def form() -> HTMLResponse:
    """The form for logging in."""
    return HTMLResponse(FORM)


@app.post("/login")
async def log_in(request: Request) -> RedirectResponse:
    """Log in, and go on to the plot."""
    fields = parse_qs((await request.body()).decode())
    name, password = (fields.get(field, [""])[0] for field in ("name", "password"))
    if not name or not hmac.compare_digest(password.encode(), PASSWORD.encode()):
        return RedirectResponse("/login", 303)
    token = secrets.token_urlsafe()
    users[token] = name
    answer = RedirectResponse("/plot/", 303)
    answer.set_cookie("token", token, httponly=True, samesite="lax")
    return answer


app.mount("/plot", bokeh)
