"""The same routes under Panel, whose command takes none: routed_by_panel.py PORT FILE ROUTE..."""

import sys

import panel as pn

if __name__ == "__main__":
    port, file, *routes = sys.argv[1:]
    pn.serve(dict.fromkeys(routes, file), port=int(port), address="127.0.0.1", show=False,
             websocket_origin="*", unused_session_lifetime_milliseconds=3_600_000)  # fmt: skip
