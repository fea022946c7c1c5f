"""Starlette: an API takes readings, and an application in the same process plots them.

uvicorn --app-dir examples/asgi starlette_site:app
curl -d '{"celsius": 21.5}' http://localhost:8000/api/readings

Then open http://localhost:8000/plot/.
"""

from readings import Readings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from app_server.asgi import BokehASGI

readings = Readings()
bokeh = BokehASGI(readings.plot)


async def add(request: Request) -> JSONResponse:
    """Take a reading, and show it to everyone who looks at the plot."""
    number = readings.add((await request.json())["celsius"])
    await bokeh.update_sessions("/", readings.show_new)
    return JSONResponse({"number": number}, 201)


app = Starlette(
    routes=[Route("/api/readings", add, methods=["POST"]), Mount("/plot", bokeh)],
    # Starts the server behind `bokeh`, and ends it: Starlette tells mounted applications nothing.
    lifespan=bokeh.lifespan,
)
