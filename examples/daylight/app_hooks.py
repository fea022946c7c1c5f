"""What the server does for this application besides building its pages."""

import logging
from pathlib import Path

from sunlight import load_cities

log = logging.getLogger("daylight")


def on_server_loaded(server_context):
    """Read the cities once, before the first visitor waits for them."""
    cities = load_cities(Path(__file__).parent / "data" / "cities.csv")
    log.info("%d cities are loaded", len(cities))


def on_session_created(session_context):
    """Say which city a visitor asked for, if any."""
    log.info("a visitor came for %s", session_context.token_payload.get("city") or "any city")


def process_request(request):
    """Let the page's address name the city: /daylight?city=Tokyo."""
    wanted = request.arguments.get("city", [b""])[0]
    return {"city": wanted.decode("utf-8", errors="replace")}
