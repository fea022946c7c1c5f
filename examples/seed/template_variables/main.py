"""Values from Python that the page's own template shows: curdoc().template_variables."""

from bokeh.models import Button, Div
from bokeh.plotting import curdoc

doc = curdoc()

# One at a time …
doc.template_variables["user_id"] = 42
# … or several.
doc.template_variables.update(first_name="Ada", last_name="Lovelace")

greeting = Div(text="Not greeted yet.", name="greeting")
button = Button(label="Greet", button_type="success", name="greet")


def greet() -> None:
    """Answer in Python, with a value that the template shows too."""
    greeting.text = f"Good day, {doc.template_variables['first_name']}."


button.on_click(greet)
doc.add_root(button)
doc.add_root(greeting)
doc.title = "Template variables"
