"""What the server does for this application, besides building its pages."""

from pathlib import Path

from sunlight import load_cities


def on_server_loaded(server_context):
    """Read the cities once, before the first visitor waits for them."""
    cities = load_cities(Path(__file__).parent / "data" / "cities.csv")
    print(f"daylight: {len(cities)} cities are loaded", flush=True)


def on_session_created(session_context):
    """Say which city a visitor asked for, if any."""
    city = session_context.token_payload.get("city") or "any city"
    print(f"daylight: a visitor came for {city}", flush=True)


def process_request(request):
    """Let the page's address name the city: /daylight?city=Tokyo."""
    wanted = request.arguments.get("city", [b""])[0]
    return {"city": wanted.decode("utf-8", errors="replace")}
