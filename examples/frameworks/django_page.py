"""A Django site in one file. Each visitor has their own session, which survives a reload.

export BOKEH_SECRET_KEY=$(app-server secret)
app-server serve examples/embedding --session-ids external-signed --allow-websocket-origin localhost:8000 \
    --unused-session-lifetime 600000
BOKEH_SIGN_SESSIONS=yes python examples/frameworks/django_page.py

Only this site can open sessions, because only it shares the server's key. The id goes to the server in a header, not
in an address that could be passed on.
"""

import os
import sys
from pathlib import Path

from bokeh.embed import server_session
from bokeh.util.token import generate_session_id
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

APPLICATION = os.environ.get("APPLICATIONS", "http://localhost:5006") + "/embedding"
PORT = int(os.environ.get("PORT", "8000"))

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    DEBUG=False,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    # A new key at each start is enough for a demonstration; a real site keeps one.
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY") or os.urandom(32).hex(),
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SESSION_COOKIE_HTTPONLY=True,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent / "templates"],
        }
    ],
)


def page(request: HttpRequest) -> HttpResponse:
    """Return the page with this visitor's session, which a reload finds again."""
    session_id = request.session.setdefault("bokeh_session_id", generate_session_id())
    script = server_session(session_id=session_id, url=APPLICATION)
    figures = [{"script": script, "caption": "Move the slider, and load the page again: the session is yours."}]
    context = {"kicker": "Django", "heading": "A session to come back to", "figures": figures}
    return render(request, "page.html", context)


urlpatterns = [path("", page)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], "runserver", "--noreload", f"127.0.0.1:{PORT}"])
