"""Where the sun stands, for a latitude and a day of the year. Times are solar: noon is at 12.

The formulas are those of the NOAA solar calculator, good to a few minutes, which is finer than a plot can show.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

DAYS = np.arange(1, 366)
HOURS = np.linspace(0, 24, 145)

SUNRISE_DEG = -0.833
"""The sun's altitude at sunrise: refraction lifts it by half a degree, and sunrise is when its upper edge appears."""

TWILIGHTS_DEG = {"Civil twilight": -6.0, "Nautical twilight": -12.0, "Astronomical twilight": -18.0}


@dataclass(frozen=True)
class City:
    """One row of data/cities.csv."""

    name: str
    country: str
    latitude_deg: float
    longitude_deg: float


@cache
def load_cities(path: Path) -> dict[str, City]:
    """Return the cities of a CSV file by name, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        cities = [City(row["city"], row["country"], float(row["latitude"]), float(row["longitude"])) for row in rows]
    return {city.name: city for city in cities}


def declination_rad(day: np.ndarray) -> np.ndarray:
    """Return the sun's declination on days of the year (1 to 365)."""
    year = 2 * np.pi * (np.asarray(day) - 1) / 365
    return (
        0.006918
        - 0.399912 * np.cos(year)
        + 0.070257 * np.sin(year)
        - 0.006758 * np.cos(2 * year)
        + 0.000907 * np.sin(2 * year)
        - 0.002697 * np.cos(3 * year)
        + 0.00148 * np.sin(3 * year)
    )


def altitude_deg(latitude_deg: float, day: np.ndarray | int, hour: np.ndarray) -> np.ndarray:
    """Return how high the sun stands above the horizon."""
    latitude, declination = np.radians(latitude_deg), declination_rad(np.asarray(day))
    turn = np.radians(15 * (hour - 12))
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(turn)
    return np.degrees(np.arcsin(np.clip(sine, -1, 1)))


def hours_above(latitude_deg: float, day: np.ndarray, altitude: float = SUNRISE_DEG) -> np.ndarray:
    """Return for how many hours of these days the sun stands higher than `altitude`, 0 to 24."""
    latitude, declination = np.radians(latitude_deg), declination_rad(np.asarray(day))
    cosine = (np.sin(np.radians(altitude)) - np.sin(latitude) * np.sin(declination)) / (
        np.cos(latitude) * np.cos(declination)
    )
    return 24 * np.arccos(np.clip(cosine, -1, 1)) / np.pi


def as_clock(hours: float) -> str:
    """Return hours as 7:05."""
    minutes = round(hours * 60)
    return f"{minutes // 60}:{minutes % 60:02d}"
