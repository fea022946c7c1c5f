"""Hooks that change documents and add to tokens."""

from bokeh.models import Div

loaded = []


def on_server_loaded(server_context):
    loaded.append(server_context.application_context.url)


def on_session_created(session_context):
    document = session_context._document
    document.title = "Hooked"
    document.add_root(Div(text=f"made by a hook, {loaded}", name="made"))
    document.template_variables["from_hook"] = session_context.request.arguments.get("who", [b"nobody"])[0].decode()


def process_request(request):
    return {"who": request.arguments.get("who", [b"?"])[0].decode(), "deep": {"list": [1, None, "ü"]}}
