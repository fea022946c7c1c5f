"""A page whose address says what it shows: the address follows the widgets, and the widgets follow the address."""

import panel as pn
import param

pn.extension(notifications=True)


class Postcard(param.Parameterized):
    """What is on the card."""

    place = param.Selector(default="Lisbon", objects=["Lisbon", "Oslo", "Porto", "Turin"])
    greeting = param.String(default="Wish you were here")
    size = param.Integer(default=28, bounds=(12, 60))

    @param.depends("place", "greeting", "size")
    def card(self) -> pn.pane.HTML:
        """The card itself."""
        text = self.greeting.replace("&", "&amp;").replace("<", "&lt;")
        return pn.pane.HTML(
            f"<p style='font-size: {self.size}px; margin: 0'>{text}</p><p>from {self.place}</p>",
            styles={"background": "#f4ead5", "padding": "30px 40px", "border": "1px solid #cdbb8f"},
            width=520, min_height=220, css_classes=["card"],
        )  # fmt: skip


postcard = Postcard()
if pn.state.location:
    pn.state.location.sync(postcard, {"place": "place", "greeting": "text", "size": "size"})

language = pn.state.headers.get("Accept-Language", "no language").split(",")[0]
about = f"Your browser asks for {language}; your name is {pn.state.user or 'unknown'}."
shown = pn.pane.Markdown(about, css_classes=["visitor"])
send = pn.widgets.Button(name="Send", button_type="success")
send.on_click(lambda event: pn.state.notifications.success(f"Sent from {postcard.place}", duration=4000))

pn.Column(
    "# Postcard",
    pn.Row(pn.Param(postcard, show_name=False, width=300), postcard.card),
    send,
    shown,
    margin=(10, 30),
).servable(title="Postcard")
