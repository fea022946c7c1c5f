"""Reads the data for main.py."""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Thing:
    """One row of data/things.csv."""

    name: str
    mass_kg: float
    volume_l: float
    count: int

    @property
    def density(self) -> float:
        """Kilograms per litre; a thing below 1 floats."""
        return self.mass_kg / self.volume_l


def load_data(path: Path) -> list[Thing]:
    """Return the things of a CSV file, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Thing(row["thing"], float(row["mass_kg"]), float(row["volume_l"]), int(row["count"]))
            for row in csv.DictReader(file)
        ]
