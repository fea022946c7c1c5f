"""A program that is its own server: it opens a browser, and ends with Ctrl-C.

python examples/library/standalone.py
"""

import argparse

from tides import tides

from app_server import Server


def main() -> None:
    """Serve until the program is interrupted."""
    parser = argparse.ArgumentParser(description="Show the tides in a browser.")
    parser.add_argument("--port", type=int, default=0, help="listen on this port; 0, the default, uses a free one")
    parser.add_argument("--no-browser", action="store_true", help="only say where the application is")
    options = parser.parse_args()
    server = Server({"/tides": tides}, port=options.port, address="localhost", show=not options.no_browser)
    print(f"{server.url}tides (Ctrl-C stops it)", flush=True)
    server.run_until_shutdown()


if __name__ == "__main__":
    main()
