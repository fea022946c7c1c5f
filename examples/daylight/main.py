"""Daylight through the year, for thirty cities from Tromsø to Ushuaia.

A directory application: `theme.yaml` styles the plots, `templates/index.html` is the page, `static/` its style sheet,
`sunlight.py` a helper, `data/` its data, and `app_hooks.py` reads the data when the server starts.
"""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
from bokeh.events import Tap
from bokeh.models import (
    ColumnDataSource,
    CustomJSTickFormatter,
    DateSlider,
    Div,
    FixedTicker,
    InlineStyleSheet,
    LinearColorMapper,
    Select,
    Span,
)
from bokeh.palettes import interp_palette
from bokeh.plotting import curdoc, figure
from sunlight import DAYS, HOURS, TWILIGHTS_DEG, altitude_deg, as_clock, hours_above, load_cities

NEW_YEAR = date(2026, 1, 1)
SKY = interp_palette(["#0b1437", "#16235c", "#2c3f88", "#5468ad"], 90)
DUSK = interp_palette(["#5468ad", "#9a7fb5", "#e59a86", "#fbc47d"], 40)
SUN = interp_palette(["#fbc47d", "#ffdf9a", "#fff0c0", "#fff8de", "#fffdf0"], 150)
# Night below the horizon, a narrow dusk around it, and all shades of noon above.
LIGHT = [*SKY[::2], *DUSK[::2], *SUN]
LOWEST_DEG, HIGHEST_DEG = -40.0, 90.0

doc = curdoc()
cities = load_cities(Path(__file__).parent / "data" / "cities.csv")
wanted = doc.session_context.token_payload.get("city")
start = wanted if wanted in cities else "Edinburgh"

MONTHS = [(NEW_YEAR.replace(month=month) - NEW_YEAR).days + 1 for month in range(1, 13)]
month_ticks = FixedTicker(ticks=[day + 14 for day in MONTHS])
month_names = CustomJSTickFormatter(
    code="return ['Jan','Feb','Mar','Apr','May','Jun','Jul','Aug','Sep','Oct','Nov','Dec'][Math.floor(tick / 30.6)]"
)
clock_ticks = FixedTicker(ticks=[0, 6, 12, 18, 24])
clock_names = CustomJSTickFormatter(code="return tick + ':00'")

sky = ColumnDataSource({"image": [np.zeros((2, 2))]}, name="sky")
edges = ColumnDataSource({"day": DAYS, "rise": np.full(365, 6.0), "set": np.full(365, 18.0)}, name="edges")
arc = ColumnDataSource({"hour": HOURS, "altitude": np.zeros(len(HOURS))}, name="arc")
ranking = ColumnDataSource(
    {"city": list(cities), "hours": [12.0] * len(cities), "color": ["#fbc47d"] * len(cities)}, name="ranking"
)

city_select = Select(title="City", value=start, options=list(cities), name="city", sizing_mode="stretch_width")
day_slider = DateSlider(
    title="Day",
    start=NEW_YEAR,
    end=NEW_YEAR.replace(month=12, day=31),
    value=NEW_YEAR.replace(month=6, day=21),
    format="%e %B",
    bar_color="#e9a23b",
    name="day",
    sizing_mode="stretch_width",
)
FACTS = InlineStyleSheet(
    css="""
    :host { font: 16px/1.45 Georgia, serif; }
    b { display: block; font-weight: 400; font-size: 20px; }
    span { color: #6b6658; }
    """
)
facts = Div(name="facts", sizing_mode="stretch_width", margin=0, stylesheets=[FACTS])

year = figure(
    x_range=(1, 365),
    y_range=(0, 24),
    height=290,
    sizing_mode="stretch_width",
    tools="tap",
    name="year",
)
year.grid.visible = False
year.xaxis.ticker, year.xaxis.formatter = month_ticks, month_names
year.yaxis.ticker, year.yaxis.formatter = clock_ticks, clock_names
year.image(
    "image",
    x=1,
    y=0,
    dw=364,
    dh=24,
    source=sky,
    color_mapper=LinearColorMapper(palette=LIGHT, low=LOWEST_DEG, high=HIGHEST_DEG),
)
for edge in ("rise", "set"):
    year.line("day", edge, source=edges, line_color="white", line_width=1.5, line_alpha=0.8)
today = Span(dimension="height", location=1, line_color="#d94f2b", line_width=2)
year.add_layout(today)

path = figure(
    title="The sun’s way through the day",
    x_range=(0, 24),
    y_range=(-70, 92),
    height=210,
    sizing_mode="stretch_width",
    tools="",
    name="path",
)
path.xaxis.ticker, path.xaxis.formatter = clock_ticks, clock_names
path.yaxis.ticker = FixedTicker(ticks=[-60, -30, 0, 30, 60, 90])
path.yaxis.formatter = CustomJSTickFormatter(code="return tick + '°'")
path.varea("hour", y1=-90, y2=0, source=ColumnDataSource({"hour": [0, 24]}), fill_color="#16235c", fill_alpha=0.92)
path.line("hour", "altitude", source=arc, line_color="#e9a23b", line_width=4)

longest = figure(
    title="Hours of daylight on this day",
    x_range=(0, 24),
    y_range=list(reversed(cities)),
    height=560,
    sizing_mode="stretch_width",
    tools="tap",
    name="longest",
)
longest.ygrid.visible = False
longest.xaxis.ticker = clock_ticks
longest.hbar(
    y="city",
    right="hours",
    height=0.72,
    source=ranking,
    color="color",
    border_radius=3,
    nonselection_alpha=1,
)


def show_city() -> None:
    """Draw the year of the chosen city."""
    latitude = cities[city_select.value].latitude_deg
    light = altitude_deg(latitude, DAYS[np.newaxis, :], HOURS[:, np.newaxis])
    sky.data = {"image": [light.astype(np.float32)]}
    length = hours_above(latitude, DAYS)
    # No line where the sun does not rise, or does not set.
    half = np.where((length > 0) & (length < 24), length / 2, np.nan)
    edges.data = {"day": DAYS, "rise": 12 - half, "set": 12 + half}


def show_day() -> None:
    """Draw the chosen day: the sun's way in the city, and its length everywhere."""
    day = (day_slider.value_as_date - NEW_YEAR).days + 1
    city = cities[city_select.value]
    today.location = day
    arc.data = {"hour": HOURS, "altitude": altitude_deg(city.latitude_deg, day, HOURS)}
    lengths = np.array([hours_above(other.latitude_deg, day) for other in cities.values()])
    colors = ["#d94f2b" if name == city.name else "#f3c77c" for name in cities]
    ranking.data = {"city": list(cities), "hours": lengths, "color": colors}
    facts.text = describe(day)


def describe(day: int) -> str:
    """Return the HTML that tells the day in words."""
    city = cities[city_select.value]
    length = float(hours_above(city.latitude_deg, day))
    if length == 0:
        sun = "The sun stays below the horizon."
    elif length == 24:
        sun = "The sun does not set."
    else:
        noon = altitude_deg(city.latitude_deg, day, 12)
        sun = f"{as_clock(length)} hours of sun, and it stands {noon:.0f}° high at noon."
    lit = {name: float(hours_above(city.latitude_deg, day, limit)) for name, limit in TWILIGHTS_DEG.items()}
    darkness = 24 - lit["Astronomical twilight"]
    night = f"{as_clock(darkness)} hours of full darkness." if darkness else "It never gets fully dark."
    when = NEW_YEAR + timedelta(days=day - 1)
    return f"<b>{when.day} {when:%B}, {city.name}</b><span>{sun} {night}</span>"


def choose_city(attr: str, old: str, new: str) -> None:
    """Show another city."""
    show_city()
    show_day()


def choose_from_ranking(attr: str, old: list[int], new: list[int]) -> None:
    """Show the city whose bar was clicked."""
    if new:
        city_select.value = ranking.data["city"][new[0]]
        ranking.selected.indices = []


def choose_from_year(event: Tap) -> None:
    """Show the day that was clicked."""
    day_slider.value = NEW_YEAR + timedelta(days=int(np.clip(round(event.x), 1, 365)) - 1)


city_select.on_change("value", choose_city)
day_slider.on_change("value", lambda attr, old, new: show_day())
ranking.selected.on_change("indices", choose_from_ranking)
year.on_event(Tap, choose_from_year)

show_city()
show_day()
for root in (city_select, day_slider, facts, year, path, longest):
    doc.add_root(root)
doc.title = "Daylight"
doc.template_variables["cities"] = len(cities)
