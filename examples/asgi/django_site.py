"""Django: its views take readings and log people in, and an application in the same process plots them.

uvicorn --app-dir examples/asgi django_site:app

Then open http://localhost:8000/.
"""

import json
import os
from importlib import import_module

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from readings import Readings

from app_server.asgi import AuthPolicy, BokehASGI

if not settings.configured:
    settings.configure(
        SECRET_KEY=os.environ.get("SECRET_KEY", "for this example, and for nothing else"),
        ALLOWED_HOSTS=["localhost", "127.0.0.1"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    )

FORM = '<form method="post" action="/name"><input name="name" placeholder="Your name"><button>Go on</button></form>'


def home(request: HttpRequest) -> HttpResponse:
    """Ask for a name, or go on to the plot."""
    return redirect("/bokeh/plot") if "name" in request.session else HttpResponse(FORM)


@csrf_exempt
def name(request: HttpRequest) -> HttpResponse:
    """Take a name into Django's session."""
    request.session["name"] = request.POST.get("name", "")[:50]
    return redirect("home")


@csrf_exempt
async def add(request: HttpRequest) -> JsonResponse:
    """Take a reading, and show it to everyone who looks at the plot."""
    number = readings.add(json.loads(request.body)["celsius"])
    await bokeh.update_sessions("/plot", readings.show_new)
    return JsonResponse({"number": number}, status=201)


urlpatterns = [path("", home, name="home"), path("name", name), path("api/readings", add)]


def user_of(request) -> str | None:
    """The name in Django's session. With django.contrib.auth: give `get_user` a request with this session."""
    cookie = request.cookies.get(settings.SESSION_COOKIE_NAME)
    if cookie is None:
        return None
    return import_module(settings.SESSION_ENGINE).SessionStore(cookie.value).get("name") or None


django = get_asgi_application()
readings = Readings()
# Django's handler mounts nothing, and knows no WebSockets: what is below the prefix does not reach it.
bokeh = BokehASGI({"/plot": readings.plot}, prefix="/bokeh", auth_policy=AuthPolicy(user_of, login_url="/"))
app = bokeh.beside(django)
